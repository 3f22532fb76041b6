//! Rules of a graph: unique names, every value defined once, no cycles. Nodes end up in topological order.

use hb_dialects::ir::Names;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::error::OnnxError;
use super::model::{Attribute, Graph, Node};

/// Checks `graph` and everything inside it; sorts nodes and makes their names unique.
pub fn check(graph: &mut Graph) -> Result<(), OnnxError> {
    let mut taken = Names::default();
    taken.extend(graph.inputs.iter().map(|input| input.name.clone()));
    check_inside(graph, &HashSet::new(), &mut taken)?;
    drop_repeated_outputs(graph);
    Ok(())
}

/// `outer` are the values that enclosing graphs define, `taken` the names of inputs and of nodes of other graphs.
fn check_inside(graph: &mut Graph, outer: &HashSet<String>, taken: &mut Names) -> Result<(), OnnxError> {
    if let Some(node) = graph.nodes.iter().find(|node| node.operator.is_empty()) {
        return Err(OnnxError::node(node, "it does not say its operator"));
    }
    make_names_unique(&mut graph.nodes, taken);
    let producers = producers(graph)?;
    check_outputs(graph, &producers, outer)?;
    let order = topological_order(graph, &producers, outer)?;
    sort(&mut graph.nodes, &order);
    let mut attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
    if !attributes.any(|(_, attribute)| matches!(attribute, Attribute::Graph(_))) {
        return Ok(());
    }
    let mut scope = outer.clone();
    scope.extend(producers.into_keys());
    for node in &mut graph.nodes {
        for (_, attribute) in &mut node.attributes {
            if let Attribute::Graph(inner) = attribute {
                check_inside(inner, &scope, taken)?;
            }
        }
    }
    Ok(())
}

/// ONNX allows two nodes of one name, also in graphs inside of nodes, and a node of the name of an input. Names identify nodes and their
/// values in configurations, files and reports, so later ones get a number.
fn make_names_unique(nodes: &mut [Node], taken: &mut Names) {
    let repeated: Vec<&mut Node> = nodes.iter_mut().filter(|node| !taken.take(&node.name)).collect();
    for node in repeated {
        let name = taken.unique(&node.name);
        node.name_in_file = Some(std::mem::replace(&mut node.name, name));
    }
}

/// Every value of the graph and the node that makes it; `None` for inputs and initializers.
fn producers(graph: &Graph) -> Result<HashMap<String, Option<usize>>, OnnxError> {
    let mut producers = HashMap::new();
    let inputs = graph.inputs.iter().map(|input| &input.name);
    let given = inputs.chain(graph.initializers.iter().map(|(name, _)| name));
    producers.extend(given.map(|name| (name.clone(), None)));
    for (index, node) in graph.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| !output.is_empty()) {
            if producers.insert(output.clone(), Some(index)).is_some() {
                return Err(OnnxError::node(node, format!("its output {output:?} is already defined elsewhere")));
            }
        }
    }
    Ok(producers)
}

fn check_outputs(
    graph: &Graph,
    producers: &HashMap<String, Option<usize>>,
    outer: &HashSet<String>,
) -> Result<(), OnnxError> {
    if graph.outputs.is_empty() {
        return Err(OnnxError::graph(&graph.name, "it has no outputs"));
    }
    for output in &graph.outputs {
        if !producers.contains_key(&output.name) && !outer.contains(&output.name) {
            return Err(OnnxError::graph(&graph.name, format!("no node produces the output {:?}", output.name)));
        }
    }
    Ok(())
}

/// An output of the model that is listed twice is one output: it has one name and one value. Those of a graph inside of a node are
/// counted: each is another result of the node.
fn drop_repeated_outputs(graph: &mut Graph) {
    let mut seen = HashSet::new();
    let name = &graph.name;
    graph.outputs.retain(|output| {
        let first = seen.insert(output.name.clone());
        if !first {
            tracing::info!("graph {name:?} lists the output {:?} twice; it is given once", output.name);
        }
        first
    });
}

/// Names that a node reads: its inputs, and what the graphs inside it take from outside.
pub(super) fn reads(node: &Node) -> Vec<&str> {
    let mut names: Vec<&str> = node.inputs.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    for (_, attribute) in &node.attributes {
        if let Attribute::Graph(graph) = attribute {
            names.extend(captures(graph));
        }
    }
    names
}

/// Names that a graph uses and does not define.
pub(super) fn captures(graph: &Graph) -> Vec<&str> {
    let mut defined: HashSet<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
    defined.extend(graph.initializers.iter().map(|(name, _)| name.as_str()));
    defined.extend(graph.nodes.iter().flat_map(|node| &node.outputs).map(String::as_str));
    let used = graph.nodes.iter().flat_map(reads);
    let used = used.chain(graph.outputs.iter().map(|output| output.name.as_str()));
    used.filter(|name| !defined.contains(name)).collect()
}

/// Indices of the nodes in an order in which every value is made before it is read; the order of the file where that is one.
fn topological_order(
    graph: &Graph,
    producers: &HashMap<String, Option<usize>>,
    outer: &HashSet<String>,
) -> Result<Vec<usize>, OnnxError> {
    let mut before: Vec<HashSet<usize>> = Vec::with_capacity(graph.nodes.len());
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut predecessors = HashSet::new();
        for name in reads(node) {
            match producers.get(name) {
                Some(Some(producer)) => {
                    if predecessors.insert(*producer)
                        && let Some(followers) = after.get_mut(*producer)
                    {
                        followers.push(index);
                    }
                }
                Some(None) => {}
                None if outer.contains(name) => {}
                None => {
                    return Err(OnnxError::node(node, format!("no node, input or initializer defines {name:?}")));
                }
            }
        }
        before.push(predecessors);
    }
    let mut waiting: Vec<usize> = before.iter().map(HashSet::len).collect();
    let free = waiting.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<_> = free.map(|(index, _)| Reverse(index)).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for follower in after.get(index).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(*follower));
                }
            }
        }
    }
    if order.len() < graph.nodes.len() {
        return Err(OnnxError::graph(
            &graph.name,
            format!("nodes depend on each other: {}", cycle(graph, &before, &order)),
        ));
    }
    Ok(order)
}

/// Names of the nodes of one cycle, from the nodes that could not be ordered.
fn cycle(graph: &Graph, before: &[HashSet<usize>], order: &[usize]) -> String {
    let done: HashSet<usize> = order.iter().copied().collect();
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..graph.nodes.len()).find(|index| !done.contains(index));
    while let Some(index) = at {
        if let Some(start) = path.iter().position(|seen| *seen == index) {
            path.drain(..start);
            break;
        }
        path.push(index);
        // Every node that is left has a predecessor that is left.
        at = before.get(index).and_then(|nodes| nodes.iter().copied().filter(|node| !done.contains(node)).min());
    }
    path.reverse();
    let names = path.iter().filter_map(|index| graph.nodes.get(*index)).map(|node| node.name.as_str());
    names.collect::<Vec<_>>().join(" -> ")
}

fn sort(nodes: &mut Vec<Node>, order: &[usize]) {
    if order.is_sorted() {
        return;
    }
    let mut old: Vec<Option<Node>> = std::mem::take(nodes).into_iter().map(Some).collect();
    nodes.extend(order.iter().filter_map(|index| old.get_mut(*index).and_then(Option::take)));
}

#[cfg(test)]
mod tests {
    use super::super::model::Value;
    use super::*;
    use hb_dialects::ElementType;

    fn value(name: &str) -> Value {
        Value { name: name.to_owned(), element: Some(ElementType::F32), shape: None }
    }

    fn graph(nodes: Vec<Node>) -> Graph {
        Graph { name: "g".to_owned(), nodes, inputs: vec![value("x")], outputs: vec![value("y")], ..Graph::default() }
    }

    fn message(nodes: Vec<Node>) -> String {
        check(&mut graph(nodes)).unwrap_err().to_string()
    }

    #[test]
    fn nodes_are_sorted_and_keep_their_order_where_possible() {
        let mut graph = graph(vec![
            Node::new("last", "Add", &["a", "b"], &["y"]),
            Node::new("first", "Relu", &["x"], &["a"]),
            Node::new("second", "Relu", &["x"], &["b"]),
        ]);
        check(&mut graph).unwrap();
        let names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["first", "second", "last"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let text = message(vec![
            Node::new("out", "Relu", &["a"], &["y"]),
            Node::new("one", "Relu", &["b"], &["a"]),
            Node::new("two", "Relu", &["a"], &["b"]),
        ]);
        assert_eq!(text, "graph \"g\": nodes depend on each other: two -> one");
    }

    #[test]
    fn undefined_doubled_and_unproduced_values_are_errors() {
        let text = message(vec![Node::new("r", "Relu", &["z"], &["y"])]);
        assert_eq!(text, "node 'r' (Relu): no node, input or initializer defines \"z\"");
        let text = message(vec![Node::new("r", "Relu", &["x"], &["y"]), Node::new("s", "Relu", &["x"], &["y"])]);
        assert_eq!(text, "node 's' (Relu): its output \"y\" is already defined elsewhere");
        let text = message(vec![Node::new("r", "Relu", &["x"], &["x"])]);
        assert_eq!(text, "node 'r' (Relu): its output \"x\" is already defined elsewhere");
        let text = message(vec![Node::new("r", "Relu", &["x"], &["z"])]);
        assert_eq!(text, "graph \"g\": no node produces the output \"y\"");
    }

    #[test]
    fn node_names_become_unique() {
        let mut graph = graph(vec![
            Node::new("r", "Relu", &["x"], &["a"]),
            Node::new("r", "Relu", &["a"], &["b"]),
            Node::new("r_1", "Relu", &["b"], &["c"]),
            Node::new("r", "Relu", &["c"], &["y"]),
        ]);
        check(&mut graph).unwrap();
        let names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["r", "r_2", "r_1", "r_3"]);
        let in_file: Vec<_> = graph.nodes.iter().map(|node| node.name_in_file.as_deref()).collect();
        assert_eq!(in_file, [None, Some("r"), None, Some("r")]);
    }

    #[test]
    fn node_names_become_unique_over_all_graphs() {
        let inner = |name: &str| {
            let nodes = vec![Node::new("r", "Relu", &["x"], &["o"])];
            Attribute::Graph(Box::new(Graph {
                name: name.to_owned(),
                nodes,
                outputs: vec![value("o")],
                ..Graph::default()
            }))
        };
        let branch = Node::new("if", "If", &["x"], &["y"]);
        let branch = branch.with("then_branch", inner("then")).with("else_branch", inner("else"));
        let mut whole = graph(vec![Node::new("r", "Relu", &["x"], &["a"]), branch]);
        check(&mut whole).unwrap();
        let names = whole.nodes[1].attributes.iter().map(|(_, attribute)| match attribute {
            Attribute::Graph(graph) => graph.nodes[0].name.as_str(),
            _ => "",
        });
        assert_eq!(names.collect::<Vec<_>>(), ["r_1", "r_2"]);
    }

    #[test]
    fn subgraphs_see_outer_values_and_order_their_node() {
        let inner = Graph {
            name: "then".to_owned(),
            nodes: vec![Node::new("i", "Relu", &["late"], &["o"])],
            outputs: vec![value("o")],
            ..Graph::default()
        };
        let branch = Node::new("if", "If", &["x"], &["y"]).with("then_branch", Attribute::Graph(Box::new(inner)));
        let mut whole = graph(vec![branch.clone(), Node::new("l", "Relu", &["x"], &["late"])]);
        check(&mut whole).unwrap();
        assert_eq!(whole.nodes.first().map(|node| node.name.as_str()), Some("l"));
        let text = message(vec![branch]);
        assert!(text.contains("defines \"late\""), "{text}");
    }
}
