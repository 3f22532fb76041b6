//! Types that are asked for, by node, by kind of node, of all nodes and of the model's outputs, and what they come to on a network.

use super::{
    float16::{Float16Requests, RolledBack},
    groups::ScaleGroups,
    info::{ActivationType, QuantInfo},
    linear::LinearLayer,
    rules::{ACTIVATION_BITS, QuantizationRule, QuantizedRole, ROUNDED, ResultScale, rule_of},
    thresholds::{has_pole, value_name},
};
use crate::bpu::lower::{Placement, placement_of};
use hb_dialects::{
    hfloat::Op,
    ir::{self, IrError, OperationAttributes, Origin},
    names::{PART, RETURN, SUM_OF_PARTS, output_names},
};
use melior::ir::{Attribute, OperationRef, Value, operation::OperationLike};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

/// What can be asked for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestedType {
    /// Integers of a value.
    Integers(ActivationType),
    /// That the node is computed in float16, whatever its neighbours are.
    Float16,
}

impl fmt::Display for RequestedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integers(element) => write!(f, "{element}"),
            Self::Float16 => f.write_str("float16"),
        }
    }
}

/// What is asked for. The narrower level wins: nodes over kinds over the model (manual, "quant_config additional description").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeRequests {
    /// The type of the inputs of all nodes.
    pub inputs_of_all: Option<RequestedType>,
    /// The type of the model's outputs.
    pub model_outputs: Option<ActivationType>,
    /// By operator of ONNX.
    pub kinds: BTreeMap<String, NodeTypes>,
    /// By name of node.
    pub nodes: BTreeMap<String, NodeTypes>,
}

/// What is asked for a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeTypes {
    /// Of all inputs that `input` does not name.
    pub inputs: Option<RequestedType>,
    /// Of single inputs, by their number.
    pub input: BTreeMap<usize, RequestedType>,
    /// Of all outputs.
    pub outputs: Option<RequestedType>,
}

/// The levels of requests, the one that wins first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Node,
    Kind,
    Model,
}

/// The operand of a layer that is its weights.
pub const WEIGHTS: usize = 1;

/// What is asked of the weights of layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightRequests {
    /// 16 bits.
    pub wide: BTreeSet<String>,
    /// 8 bits, whatever that costs.
    pub narrow: BTreeSet<String>,
}

/// What requests come to on a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedTypes {
    /// By the name of the value whose scale decides. Nothing else may change these.
    pub values: BTreeMap<String, ActivationType>,
    /// Those of them that a function with a pole computes.
    pub poles: BTreeSet<String>,
    /// By operation: bits of operands that it shall see in another type than that of the value; 0 for the others.
    pub operands: BTreeMap<String, Vec<u32>>,
    /// Operands that shall be int16, by operation.
    pub wide: BTreeSet<(String, usize)>,
    /// Operations that are computed in float16.
    pub float16: BTreeSet<String>,
    /// What cannot be as it was asked, with the reason.
    pub refused: Vec<String>,
}

impl TypeRequests {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The layers for whose weights 16 bits are asked, and those that shall keep 8: by the number of that input of the node, or of all nodes of its operator.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn weights(&self, function: OperationRef<'_, '_>, kinds: &Kinds) -> Result<WeightRequests, IrError> {
        let asking = Asking { requests: self, kinds };
        let mut found = WeightRequests::default();
        for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
            if LinearLayer::of(function, operation)?.is_none() {
                continue;
            }
            match asking.numbered_input(operation, WEIGHTS) {
                Some(RequestedType::Integers(ActivationType::Int16)) => found.wide.insert(operation.node()),
                Some(_) => found.narrow.insert(operation.node()),
                None => false,
            };
        }
        Ok(found)
    }

    /// Makes results that would keep their 32-bit sums integers of an activation, where a type is asked for them. Goes before calibration,
    /// which measures them then.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn round_results(&self, function: OperationRef<'_, '_>, kinds: &Kinds) -> Result<(), IrError> {
        let asked = Asking { requests: self, kinds };
        for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
            let is_output = || ir::results(operation).into_iter().flat_map(ir::users).any(is_return);
            let integers = matches!(asked.output(operation), Some((RequestedType::Integers(_), _)));
            if integers || (self.model_outputs.is_some() && is_output()) {
                round_result(operation)?;
            }
        }
        Ok(())
    }

    /// What is asked of the values of a function that is calibrated, with what calibration saw.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn resolve(
        &self,
        function: OperationRef<'_, '_>,
        kinds: &Kinds,
        info: &QuantInfo,
    ) -> Result<AskedTypes, IrError> {
        let mut demands = Demands {
            function,
            groups: ScaleGroups::of(function)?,
            asking: Asking { requests: self, kinds },
            info,
            all: Vec::new(),
            float16: BTreeSet::new(),
            rolled_back: Vec::new(),
            refused: Vec::new(),
        };
        let operations = ir::body(function).map(ir::operations).unwrap_or_default();
        for &operation in &operations {
            demands.of_operation(operation)?;
        }
        demands.of_outputs(&operations);
        demands.of_inner_nodes(&operations);
        demands.of_inner_kinds(&operations);
        Ok(demands.decide())
    }
}

/// The operators of the user's nodes by their names.
pub type Kinds = HashMap<String, String>;

/// Makes the result of an operation that keeps its 32-bit sums, or gives f32, integers of an activation.
pub(super) fn round_result(operation: OperationRef<'_, '_>) -> Result<(), IrError> {
    if let Some(rule) = rule_of(operation)?
        && matches!(rule.result(operation)?, ResultScale::OwnOrExact | ResultScale::OwnOrFloat)
    {
        ir::set_attribute(operation, ROUNDED, Attribute::unit(operation.context_reference()));
    }
    Ok(())
}

impl NodeTypes {
    /// Whether something that is asked here is asked otherwise there.
    pub fn is_overruled_by(&self, later: &Self) -> bool {
        let differs = |one: Option<RequestedType>, other| one.is_some() && one != other;
        let mut inputs = self.input.iter().map(|(index, element)| (Some(*element), later.input.get(index).copied()));
        differs(self.inputs, later.inputs)
            || differs(self.outputs, later.outputs)
            || inputs.any(|(one, other)| differs(one, other))
    }

    fn of_input(&self, index: usize) -> Option<RequestedType> {
        self.input.get(&index).copied().or(self.inputs)
    }
}

fn is_sum_of_parts(operation: OperationRef<'_, '_>) -> bool {
    operation.has_attribute(SUM_OF_PARTS)
}

/// Whether a request names a part of a layer that was split and asks for another type than splitting needs.
fn contradicts_part(types: &NodeTypes, operation: OperationRef<'_, '_>) -> bool {
    let is_part = operation.has_attribute(PART) && !is_sum_of_parts(operation);
    let wide = RequestedType::Integers(ActivationType::Int16);
    is_part && (types.outputs.is_some_and(|asked| asked != wide) || types.input.contains_key(&WEIGHTS))
}

/// Requests, seen from an operation.
struct Asking<'r> {
    requests: &'r TypeRequests,
    kinds: &'r Kinds,
}

impl Asking<'_> {
    /// What is asked for an operand. The inputs of an operation are those of the node that ran first of all that went into it.
    fn input(&self, operation: OperationRef<'_, '_>, index: usize) -> Option<(RequestedType, Level)> {
        let all = self.requests.inputs_of_all.map(|element| (element, Level::Model));
        self.of_inputs(operation, &|types| types.of_input(index)).or(all.filter(|_| !is_sum_of_parts(operation)))
    }

    /// What is asked for an operand by its number.
    fn numbered_input(&self, operation: OperationRef<'_, '_>, index: usize) -> Option<RequestedType> {
        self.of_inputs(operation, &|types| types.input.get(&index).copied()).map(|(requested, _)| requested)
    }

    /// The operands of the sum of a layer's parts are no inputs of a node.
    fn of_inputs(
        &self,
        operation: OperationRef<'_, '_>,
        of: &dyn Fn(&NodeTypes) -> Option<RequestedType>,
    ) -> Option<(RequestedType, Level)> {
        let Origin { name, nodes } = operation.origin();
        let nodes = nodes.first().into_iter().chain([&name]).cloned().collect::<Vec<_>>();
        self.find(operation, &nodes, of).filter(|_| !is_sum_of_parts(operation))
    }

    /// What is asked for the result, by any of the nodes that went into the operation.
    fn output(&self, operation: OperationRef<'_, '_>) -> Option<(RequestedType, Level)> {
        let Origin { name, nodes } = operation.origin();
        let nodes = nodes.into_iter().rev().chain([name]).collect::<Vec<_>>();
        let found = self.find(operation, &nodes, &|types| types.outputs);
        // The layer has no form in float16; that its sum has one is nobody's wish.
        found.filter(|(requested, _)| !(is_sum_of_parts(operation) && *requested == RequestedType::Float16))
    }

    /// Whether a request names this very operand.
    fn names_input(&self, operation: OperationRef<'_, '_>, index: usize) -> bool {
        let Origin { name, nodes } = operation.origin();
        let mut nodes = nodes.first().into_iter().chain([&name]);
        nodes.any(|node| self.requests.nodes.get(node).is_some_and(|types| types.input.contains_key(&index)))
    }

    fn find(
        &self,
        operation: OperationRef<'_, '_>,
        nodes: &[String],
        of: &dyn Fn(&NodeTypes) -> Option<RequestedType>,
    ) -> Option<(RequestedType, Level)> {
        let node = nodes.iter().find_map(|node| of(self.requests.nodes.get(node)?));
        let own = Op::of(operation).map(|op| op.onnx().name).filter(|_| !is_sum_of_parts(operation));
        let kinds = nodes.iter().filter_map(|node| self.kinds.get(node)).map(String::as_str).chain(own);
        let kind = || kinds.into_iter().find_map(|kind| of(self.requests.kinds.get(kind)?));
        node.map(|element| (element, Level::Node)).or_else(|| kind().map(|element| (element, Level::Kind)))
    }
}

/// One request for a value.
struct Demand {
    value: String,
    /// Whether a function with a pole computes it.
    has_pole: bool,
    element: ActivationType,
    level: Level,
    /// The operand that it is for; none where it is for the value itself.
    reader: Option<Reader>,
    /// Who asks, for messages.
    by: String,
}

struct Reader {
    operation: String,
    index: usize,
    operands: usize,
    /// Why it sees the value as it is, where it does.
    as_it_is: Option<&'static str>,
}

struct Demands<'c, 'a, 'r> {
    function: OperationRef<'c, 'a>,
    groups: ScaleGroups<'c, 'a>,
    asking: Asking<'r>,
    info: &'r QuantInfo,
    all: Vec<Demand>,
    /// Operations that are computed in float16, and those that are asked for it in vain.
    float16: BTreeSet<String>,
    rolled_back: Vec<RolledBack>,
    refused: Vec<String>,
}

impl<'c, 'a> Demands<'c, 'a, '_> {
    fn of_operation(&mut self, operation: OperationRef<'c, 'a>) -> Result<(), IrError> {
        if Op::of(operation).is_none_or(|op| op == Op::Constant) {
            return Ok(());
        }
        let Some(rule) = rule_of(operation)? else {
            self.refuse_float(operation);
            return self.of_float_operands(operation);
        };
        let inputs = (0..operation.operand_count()).filter_map(|index| {
            let (requested, level) = self.asking.input(operation, index)?;
            Some((index, requested, level))
        });
        let (inputs, output) = (inputs.collect::<Vec<_>>(), self.asking.output(operation));
        let asked = Float16Requests::of(inputs.iter().map(|(_, requested, level)| (*requested, *level)).chain(output));
        if self.is_float16(operation, &rule, &asked)? {
            return Ok(());
        }
        for (index, requested, level) in inputs {
            if let RequestedType::Integers(element) = requested {
                self.of_operand(operation, &rule, (index, element, level))?;
            }
        }
        if let Some((RequestedType::Integers(element), level)) = output
            && let Some(result) = ir::results(operation).into_iter().next()
        {
            let (value, by) = (self.name(result), described(operation));
            let has_pole = has_pole(self.groups.source(result));
            self.all.push(Demand { value, has_pole, element, level, reader: None, by: format!("the output of {by}") });
        }
        Ok(())
    }

    /// Whether an operation is computed in float16: it is asked for, and can be.
    fn is_float16(
        &mut self,
        operation: OperationRef<'c, 'a>,
        rule: &QuantizationRule,
        asked: &Float16Requests,
    ) -> Result<bool, IrError> {
        let Some(level) = asked.level else { return Ok(false) };
        let largest = operation.operands().chain(ir::results(operation)).filter_map(|value| {
            let name = self.name(value);
            Some((self.info.values.get(&name)?.largest?, name))
        });
        match asked.obstacle(operation, rule, largest)? {
            None => {
                self.float16.insert(operation.node());
                if asked.has_integers {
                    self.refused.push(format!("{} is float16 as a whole: it has no integers", described(operation)));
                }
                Ok(true)
            }
            Some(reason) => {
                let kind = Op::of(operation).map(|op| op.onnx().name).unwrap_or_default().to_owned();
                self.rolled_back.push(RolledBack { node: operation.node(), kind, level, reason });
                Ok(false)
            }
        }
    }

    /// An operation without integers: only who named it is told.
    fn refuse_float(&mut self, operation: OperationRef<'c, 'a>) {
        let inputs = (0..operation.operand_count()).filter_map(|index| self.asking.input(operation, index));
        let named = inputs.chain(self.asking.output(operation)).any(|(_, level)| level != Level::Model);
        if named {
            let reason = match placement_of(operation) {
                Some(Placement::Cpu { reason }) => reason,
                _ => "nothing of it is quantized".to_owned(),
            };
            self.refused.push(format!("{} stays float32: {reason}", described(operation)));
        }
    }

    /// What an operation without integers reads of the BPU: of a value that exists in integers alone, it sees these.
    fn of_float_operands(&mut self, operation: OperationRef<'c, 'a>) -> Result<(), IrError> {
        for (index, operand) in operation.operands().enumerate() {
            if let Some((RequestedType::Integers(element), level)) = self.asking.input(operation, index)
                && self.groups.is_integer_born(operand)
            {
                let as_it_is = Some("the CPU reads the integers as they are");
                self.demand(operation, (index, operand), (element, level), as_it_is);
            }
        }
        Ok(())
    }

    /// Adds what is asked of a value for an operand. `as_it_is` says why the operation sees the value as it is, where it does.
    fn demand(
        &mut self,
        operation: OperationRef<'c, 'a>,
        (index, operand): (usize, Value<'c, 'a>),
        (element, level): (ActivationType, Level),
        as_it_is: Option<&'static str>,
    ) {
        self.all.push(Demand {
            value: self.name(operand),
            has_pole: has_pole(self.groups.source(operand)),
            element,
            level,
            reader: Some(Reader { operation: operation.node(), index, operands: operation.operand_count(), as_it_is }),
            by: input_of(operation, index),
        });
    }

    fn of_operand(
        &mut self,
        operation: OperationRef<'c, 'a>,
        rule: &QuantizationRule,
        (index, element, level): (usize, ActivationType, Level),
    ) -> Result<(), IrError> {
        let operand = operation.operand_at(index)?;
        if rule.role(operation, index)? != QuantizedRole::Activation || ir::constant_of(operand).is_some() {
            // Types of all inputs are those of activations.
            let explicit = self.asking.names_input(operation, index);
            // 16 bits of weights have been given.
            let is_weight = index == WEIGHTS && LinearLayer::of(self.function, operation)?.is_some();
            if explicit && element == ActivationType::Int16 && !is_weight {
                let by = input_of(operation, index);
                self.refused
                    .push(format!("{by} stays as it is: it is a constant, whose type follows from the other inputs"));
            }
            return Ok(());
        }
        let moves = index == 0 && rule.result(operation)? == ResultScale::LikeInput;
        let as_it_is = moves.then_some("its result has the same type");
        self.demand(operation, (index, operand), (element, level), as_it_is);
        Ok(())
    }

    /// The outputs of the model.
    fn of_outputs(&mut self, operations: &[OperationRef<'c, 'a>]) {
        let Some(element) = self.asking.requests.model_outputs else { return };
        let returned = operations.iter().copied().filter(|operation| is_return(*operation));
        let values = returned.flat_map(|operation| operation.operands().collect::<Vec<_>>());
        for (output, value) in output_names(self.function).into_iter().zip(values.collect::<Vec<_>>()) {
            if self.groups.is_integer_born(value) {
                let has_pole = has_pole(self.groups.source(value));
                let (value, by) = (self.name(value), format!("output '{output}' of the model"));
                self.all.push(Demand { value, has_pole, element, level: Level::Model, reader: None, by });
            } else {
                let node = ir::defining_operation(value).map(described).unwrap_or_default();
                self.refused
                    .push(format!("output '{output}' of the model stays as it is: the BPU does not compute {node}"));
            }
        }
    }

    /// Nodes whose inputs exist no more, and nodes that do not.
    fn of_inner_nodes(&mut self, operations: &[OperationRef<'c, 'a>]) {
        for (node, types) in &self.asking.requests.nodes {
            let holds = |operation: &&OperationRef<'c, 'a>| {
                let Origin { name, nodes } = operation.origin();
                Op::of(**operation).is_some_and(|op| op != Op::Constant) && (name == *node || nodes.contains(node))
            };
            let holders: Vec<_> = operations.iter().filter(holds).collect();
            let is_first = |operation: &&OperationRef<'c, 'a>| {
                let Origin { name, nodes } = operation.origin();
                name == *node || nodes.first() == Some(node)
            };
            if holders.is_empty() {
                self.refused.push(match ir::holder_of(operations.iter().copied(), node) {
                    Some(holder) => format!("node '{node}' stays float32: it is inside of {}", described(holder)),
                    None => format!("node '{node}' has nothing left to compute when the model runs, so it has no type"),
                });
            } else if (types.inputs.is_some() || !types.input.is_empty())
                && !holders.iter().copied().any(|holder| is_first(&holder))
            {
                let holder = holders.first().map(|holder| described(**holder)).unwrap_or_default();
                self.refused.push(format!("the inputs of node '{node}' are inside of {holder}, which computes it: they have no type of their own"));
            }
            if holders.iter().any(|holder| holder.node() == *node && contradicts_part(types, **holder)) {
                self.refused.push(format!(
                    "'{node}' is a part of a layer whose weights have 16 bits: its own weights have 8 and its result 16, whatever is asked"
                ));
            }
            if let Some(asked) = types.outputs {
                let given = |holder: &OperationRef<'c, 'a>| Some((self.asking.output(*holder)?.0, described(*holder)));
                let overruled = holders.iter().copied().filter_map(given).find(|(given, _)| *given != asked);
                self.refused.extend(overruled.map(|(given, holder)| {
                    format!("the output of node '{node}' stays {given}: it is inside of {holder}, and a later node of it asks for {given}")
                }));
            }
        }
    }

    /// Kinds of which nodes became parts of other operations.
    fn of_inner_kinds(&mut self, operations: &[OperationRef<'c, 'a>]) {
        let own = |operation: &OperationRef<'c, 'a>| Op::of(*operation).map(|op| op.onnx().name);
        for kind in self.asking.requests.kinds.keys() {
            let mut nodes = operations.iter().flat_map(|operation| operation.origin().nodes);
            let is_left = operations.iter().any(|operation| own(operation) == Some(kind.as_str()))
                || nodes.any(|node| self.asking.kinds.get(&node).is_some_and(|own| own == kind));
            if !is_left {
                self.refused.push(format!(
                    "no node of the kind {kind} is left in the compiled network, so what is asked for it has no effect"
                ));
            }
        }
        let asked =
            self.asking.requests.kinds.iter().filter(|(_, types)| types.inputs.is_some() || !types.input.is_empty());
        for (kind, _) in asked {
            let inner = operations.iter().flat_map(|operation| operation.origin().nodes.into_iter().skip(1));
            let inner: BTreeSet<String> =
                inner.filter(|node| self.asking.kinds.get(node).is_some_and(|own| own == kind)).collect();
            if let Some(first) = inner.first() {
                self.refused.push(format!(
                    "the inputs of {} nodes of the kind {kind}, such as '{first}', are inside of other operations: they have no type of their own",
                    inner.len()
                ));
            }
        }
    }

    fn name(&self, value: Value<'c, 'a>) -> String {
        value_name(self.function, self.groups.source(value))
    }

    /// Who wins: for values themselves the narrower level; then int16, because a reader can see it as int8.
    fn decide(mut self) -> AskedTypes {
        let wide = |demand: &Demand| demand.element == ActivationType::Int16;
        self.all
            .sort_by_key(|demand| (demand.reader.is_some(), demand.reader.is_some() && !wide(demand), demand.level));
        self.refused.extend(RolledBack::sentences(self.rolled_back));
        let mut asked = AskedTypes { refused: self.refused, float16: self.float16, ..AskedTypes::default() };
        let mut winners: HashMap<String, (ActivationType, Level, String)> = HashMap::new();
        for Demand { value, has_pole, element, level, reader, by } in self.all {
            if has_pole {
                asked.poles.insert(value.clone());
            }
            let (given, winning, winner) =
                winners.entry(value.clone()).or_insert_with(|| (element, level, by.clone())).clone();
            asked.values.insert(value, given);
            let stays = |reason: &str| format!("{by} stays {given}: {reason}");
            match (reader, element, given) {
                (Some(reader), ActivationType::Int16, ActivationType::Int16) => {
                    asked.wide.insert((reader.operation, reader.index));
                }
                (Some(reader), ActivationType::Int8, ActivationType::Int16) if reader.as_it_is.is_none() => {
                    let bits = asked.operands.entry(reader.operation).or_insert_with(|| vec![0; reader.operands]);
                    if let Some(bits) = bits.get_mut(reader.index) {
                        *bits = ACTIVATION_BITS;
                    }
                }
                _ if element == given => {}
                (Some(Reader { as_it_is: Some(reason), .. }), ActivationType::Int8, _) => {
                    asked.refused.push(stays(&format!("{reason}, and {winner} asks for {given}")));
                }
                (Some(_), ..) => asked.refused.push(stays(&format!("{winner} asks for it"))),
                // A narrower level wins in silence, as the manual says.
                (None, ..) if level == winning => asked.refused.push(stays(&format!("{winner} asks for it"))),
                (None, ..) => {}
            }
        }
        asked
    }
}

fn is_return(operation: OperationRef<'_, '_>) -> bool {
    operation.operation_name() == RETURN
}

/// An operand as messages name it.
fn input_of(operation: OperationRef<'_, '_>, index: usize) -> String {
    format!("input {index} of {}", described(operation))
}

/// An operation as messages name it.
fn described(operation: OperationRef<'_, '_>) -> String {
    let kind = Op::of(operation).map(|op| op.onnx().name).unwrap_or_default();
    format!("node '{}' ({kind})", operation.node())
}
