//! Functions of a model: each node that calls one becomes the nodes of its body, under names of its own.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::error::OnnxError;
use super::is_default_domain;
use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// Nodes of a whole model. A few functions that call each other twice could be any number of them.
const MAX_NODES: usize = 1 << 20;
/// Calls inside of calls.
const MAX_DEPTH: usize = 32;
/// Bytes of the bodies of all calls.
const MAX_BYTES: usize = 2 << 30;

/// Domain, name and overload.
type Key = (String, String, String);

fn key(domain: &str, name: &str, overload: &str) -> Key {
    let domain = if is_default_domain(domain) { "" } else { domain };
    (domain.to_owned(), name.to_owned(), overload.to_owned())
}

/// Puts bodies in place of calls, in the whole model.
///
/// # Errors
/// When a function is of another operator set than the model, is given twice, or calls itself.
pub fn inline(model: &mut ModelProto, opset: i64) -> Result<(), OnnxError> {
    let mut functions = HashMap::new();
    for function in std::mem::take(&mut model.functions) {
        let own = function.opset_import.iter().find(|entry| is_default_domain(&entry.domain));
        if let Some(other) = own.filter(|entry| entry.version != opset) {
            let (name, version) = (&function.name, other.version);
            let reason =
                format!("the function {name:?} uses opset {version}, the model {opset}; they must be the same");
            return Err(OnnxError::model(reason));
        }
        let name = function.name.clone();
        if functions.insert(key(&function.domain, &name, &function.overload), function).is_some() {
            return Err(OnnxError::model(format!("the function {name:?} is given twice")));
        }
    }
    if functions.is_empty() {
        return Ok(());
    }
    let mut inliner = Inliner { functions, taken: HashSet::new(), nodes: 0, bytes: 0 };
    model.graph.iter_mut().try_for_each(|graph| inliner.graph(graph, 0))
}

struct Inliner {
    functions: HashMap<Key, FunctionProto>,
    /// What stands before the names of a call's body, each once.
    taken: HashSet<String>,
    nodes: usize,
    bytes: usize,
}

impl Inliner {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<(), OnnxError> {
        graph.node = self.nodes(std::mem::take(&mut graph.node), depth)?;
        Ok(())
    }

    fn nodes(&mut self, nodes: Vec<NodeProto>, depth: usize) -> Result<Vec<NodeProto>, OnnxError> {
        if depth > MAX_DEPTH {
            return Err(OnnxError::model(format!("functions call functions, more than {MAX_DEPTH} deep")));
        }
        let mut all = Vec::with_capacity(nodes.len());
        for (index, mut node) in nodes.into_iter().enumerate() {
            for attribute in &mut node.attribute {
                attribute.g.iter_mut().try_for_each(|graph| self.graph(graph, depth))?;
            }
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                return Err(OnnxError::model(format!("the functions of the model become more than {MAX_NODES} nodes")));
            }
            match self.functions.get(&key(&node.domain, &node.op_type, &node.overload)) {
                None => all.push(node),
                Some(function) => {
                    self.bytes = self.bytes.saturating_add(function.encoded_len());
                    if self.bytes > MAX_BYTES {
                        return Err(OnnxError::model("the calls of the model's functions take too many bytes"));
                    }
                    let function = function.clone();
                    let prefix = self.prefix(&node, index);
                    let body = Call { function: &function, node: &node, prefix }.body()?;
                    all.extend(self.nodes(body, depth + 1)?);
                }
            }
        }
        Ok(all)
    }

    fn prefix(&mut self, node: &NodeProto, index: usize) -> String {
        let name = if node.name.is_empty() { format!("{}_{index}", node.op_type) } else { node.name.clone() };
        let mut prefix = name.clone();
        let mut number = 1;
        while !self.taken.insert(prefix.clone()) {
            prefix = format!("{name}_{number}");
            number += 1;
        }
        prefix
    }
}

/// A node that calls a function.
struct Call<'a> {
    function: &'a FunctionProto,
    node: &'a NodeProto,
    prefix: String,
}

impl Call<'_> {
    fn body(&self) -> Result<Vec<NodeProto>, OnnxError> {
        let (given, taken) = (self.node.input.len(), self.function.input.len());
        let (asked, made) = (self.node.output.len(), self.function.output.len());
        if given > taken || asked > made {
            let (node, operator) = (self.node.name.clone(), self.node.op_type.clone());
            let reason =
                format!("it has {given} inputs and {asked} outputs, the function takes {taken} and gives {made}");
            return Err(OnnxError::Node { node, operator, reason });
        }
        let mut nodes = self.function.node.clone();
        self.rename_nodes(&mut nodes);
        Ok(nodes)
    }

    /// A value of the body as the graph of the call names it.
    fn value(&self, name: &str) -> String {
        let given = |names: &[String], values: &[String]| {
            let place = names.iter().position(|own| own == name)?;
            Some(values.get(place).cloned().unwrap_or_default())
        };
        if name.is_empty() {
            return String::new();
        }
        if let Some(value) = given(&self.function.output, &self.node.output).filter(|value| !value.is_empty()) {
            return value;
        }
        given(&self.function.input, &self.node.input).unwrap_or_else(|| format!("{}/{name}", self.prefix))
    }

    fn rename_nodes(&self, nodes: &mut [NodeProto]) {
        for (index, node) in nodes.iter_mut().enumerate() {
            let own = if node.name.is_empty() { format!("{}_{index}", node.op_type) } else { node.name.clone() };
            node.name = format!("{}/{own}", self.prefix);
            for name in node.input.iter_mut().chain(&mut node.output) {
                *name = self.value(name);
            }
            let attributes = std::mem::take(&mut node.attribute);
            node.attribute = attributes.into_iter().filter_map(|attribute| self.attribute(attribute)).collect();
        }
    }

    /// An attribute with what the call gives, where it refers to one of the function; none where the call leaves that out.
    fn attribute(&self, attribute: AttributeProto) -> Option<AttributeProto> {
        let mut attribute = if attribute.ref_attr_name.is_empty() {
            attribute
        } else {
            let mut all = self.node.attribute.iter().chain(&self.function.attribute_proto);
            let given = all.find(|given| given.name == attribute.ref_attr_name)?;
            return Some(AttributeProto { name: attribute.name, ..given.clone() });
        };
        if let Some(graph) = &mut attribute.g {
            self.rename_nodes(&mut graph.node);
            let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
            values.for_each(|value| value.name = self.value(&value.name));
            graph.initializer.iter_mut().for_each(|tensor| tensor.name = self.value(&tensor.name));
        }
        Some(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::onnx::proto::OperatorSetIdProto;

    fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        NodeProto { op_type: operator.to_owned(), input: own(inputs), output: own(outputs), ..NodeProto::default() }
    }

    /// h(a) = Elu(Neg(a)) with its alpha, called under two names.
    fn model(opset: i64) -> ModelProto {
        let refers =
            AttributeProto { name: "alpha".to_owned(), ref_attr_name: "slope".to_owned(), ..AttributeProto::default() };
        let elu = NodeProto { attribute: vec![refers], ..node("Elu", &["b"], &["c"]) };
        let function = FunctionProto {
            name: "h".to_owned(),
            domain: "own".to_owned(),
            input: vec!["a".to_owned()],
            output: vec!["c".to_owned()],
            node: vec![node("Neg", &["a"], &["b"]), elu],
            opset_import: vec![OperatorSetIdProto { version: opset, ..OperatorSetIdProto::default() }],
            ..FunctionProto::default()
        };
        let slope = AttributeProto { name: "slope".to_owned(), f: Some(0.5), ..AttributeProto::default() };
        let call = |name: &str, input: &str, output: &str, attribute: Vec<AttributeProto>| NodeProto {
            name: name.to_owned(),
            domain: "own".to_owned(),
            attribute,
            ..node("h", &[input], &[output])
        };
        let nodes = vec![call("one", "x", "m", vec![slope]), call("", "m", "y", Vec::new())];
        let graph = GraphProto { node: nodes, ..GraphProto::default() };
        ModelProto { graph: Some(graph), functions: vec![function], ..ModelProto::default() }
    }

    #[test]
    fn calls_become_bodies_under_names_of_their_own() {
        let mut model = model(18);
        inline(&mut model, 18).unwrap();
        let nodes = model.graph.unwrap().node;
        let named: Vec<String> =
            nodes.iter().map(|node| format!("{} {} {}", node.name, node.input[0], node.output[0])).collect();
        assert_eq!(named, ["one/Neg_0 x one/b", "one/Elu_1 one/b m", "h_1/Neg_0 m h_1/b", "h_1/Elu_1 h_1/b y"]);
        assert_eq!((nodes[1].attribute[0].name.as_str(), nodes[1].attribute[0].f), ("alpha", Some(0.5)));
        // What the call leaves out is left out.
        assert!(nodes[3].attribute.is_empty());
    }

    #[test]
    fn functions_that_cannot_be_put_in_place_are_errors() {
        let text = inline(&mut model(17), 18).unwrap_err().to_string();
        assert_eq!(text, "the function \"h\" uses opset 17, the model 18; they must be the same");
        let mut twice = model(18);
        twice.functions.push(twice.functions[0].clone());
        assert_eq!(inline(&mut twice, 18).unwrap_err().to_string(), "the function \"h\" is given twice");
        let mut endless = model(18);
        endless.functions[0].node = vec![NodeProto { domain: "own".to_owned(), ..node("h", &["a"], &["c"]) }];
        assert_eq!(inline(&mut endless, 18).unwrap_err().to_string(), "functions call functions, more than 32 deep");
        let mut wide = model(18);
        let call = NodeProto { domain: "own".to_owned(), ..node("h", &["a", "a"], &["c"]) };
        wide.graph.as_mut().unwrap().node.push(call);
        let text = inline(&mut wide, 18).unwrap_err().to_string();
        assert_eq!(text, "node '' (h): it has 2 inputs and 1 outputs, the function takes 1 and gives 1");
    }
}
