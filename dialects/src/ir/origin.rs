//! Who an operation is: its name, and the nodes of the user's network that went into it. Both live in its location.
//!
//! | location | name | nodes |
//! |---|---|---|
//! | `loc("Conv_0")` | `Conv_0` | `Conv_0` |
//! | `loc(fused["Conv_0", "Relu_1"])` | `Conv_0` | `Conv_0`, `Relu_1` |
//! | `loc(fused<"Conv_0/quantize">["Conv_0", "Relu_1"])` | `Conv_0/quantize` | `Conv_0`, `Relu_1` |
//! | `loc(fused<"x/preprocess/cast">[unknown])` | `x/preprocess/cast` | none |
//!
//! Names are made here and never taken apart: a user's node may hold `/` itself.

use super::{OperationAttributes, attribute, emit_error};
use crate::{bpu, hfloat, shim};
use melior::{
    Context,
    ir::{
        Attribute, BlockLike, Location, OperationRef, RegionLike, attribute::StringAttribute, operation::OperationLike,
    },
};
use std::collections::{HashMap, HashSet};

/// The identity of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name, unique among the operations of a network; empty when it has none.
    pub name: String,
    /// The nodes of the user's network that went into it, each once, in the order in which they ran.
    pub nodes: Vec<String>,
}

/// A node of the user's network.
impl From<&str> for Origin {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), nodes: vec![name.to_owned()] }
    }
}

impl From<String> for Origin {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl Origin {
    /// What is made for no node of the user's network, such as the conversion of an input.
    pub fn without_node(name: impl Into<String>) -> Self {
        Self { name: name.into(), nodes: Vec::new() }
    }

    /// What a location says.
    pub fn at(location: Location<'_>) -> Self {
        if location.is_name() {
            // melior reads an empty name through a null pointer.
            // SAFETY: the identifier belongs to the context, which outlives the location.
            let name = unsafe { shim::text(mlir_sys::mlirIdentifierStr(location.name_value().to_raw())) };
            return if name.is_empty() { Self::default() } else { Self::from(name) };
        }
        if location.is_call_site() {
            return Self::at(location.call_site_callee());
        }
        if !location.is_fused() {
            return Self::default();
        }
        let parts = (0..location.fused_num_locations()).map(|index| Self::at(location.fused_location(index)));
        let united = Self::united(parts);
        match annotation(location).and_then(attribute::text).filter(|name| !name.is_empty()) {
            Some(name) => Self { name, ..united },
            None => united,
        }
    }

    /// What becomes of several operations that turn into one: the first name that there is, and the nodes of all.
    #[must_use]
    pub fn united(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut united = Self::default();
        let mut known = HashSet::new();
        for part in parts {
            if united.name.is_empty() {
                united.name = part.name;
            }
            united.nodes.extend(part.nodes.into_iter().filter(|node| known.insert(node.clone())));
        }
        united
    }

    /// The node of the user's network whose result the operation gives: of several that were united the last, for they are in the
    /// order in which they ran. None where a part of a node has a name of its own (`Conv_0/pad`): that computes something else.
    pub fn result_node(&self) -> Option<&str> {
        self.nodes.last().filter(|_| self.nodes.contains(&self.name)).map(String::as_str)
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What is made of a part of the operation, such as `Conv_0/weight`. Names of operations that compute must be unique:
    /// [`Names::derive`] gives such.
    #[must_use]
    pub fn part(&self, part: &str) -> Self {
        let name = if self.name.is_empty() { part.to_owned() } else { format!("{}/{part}", self.name) };
        Self { name, nodes: self.nodes.clone() }
    }

    /// The location that says it.
    pub fn location<'c>(&self, context: &'c Context) -> Location<'c> {
        let nodes: Vec<_> = self.nodes.iter().map(|node| named_location(context, node)).collect();
        match self.nodes.as_slice() {
            [] if self.name.is_empty() => Location::unknown(context),
            [first, ..] if *first == self.name => {
                // SAFETY: a null attribute means that there is no metadata.
                Location::fused(context, &nodes, unsafe { Attribute::from_raw(mlir_sys::mlirAttributeGetNull()) })
            }
            _ => Location::fused(context, &nodes, StringAttribute::new(context, &self.name).into()),
        }
    }
}

/// The location of a node of the user's network, or of a value that has a name.
pub fn named_location<'c>(context: &'c Context, name: &str) -> Location<'c> {
    Location::name(context, name, Location::unknown(context))
}

/// A location with something that is to be known of the operation besides who it is. It is no text: that would be a name.
pub fn annotated_location<'c>(context: &'c Context, location: Location<'c>, annotation: Attribute<'c>) -> Location<'c> {
    Location::fused(context, &[location], annotation)
}

/// What [`annotated_location`] was given.
pub fn annotation<'c>(location: Location<'c>) -> Option<Attribute<'c>> {
    if !location.is_fused() {
        return None;
    }
    // SAFETY: the location is fused; its metadata belongs to the context, and is null where there is none.
    unsafe { Attribute::from_option_raw(mlir_sys::mlirLocationFusedGetMetadata(location.to_raw())) }
}

/// The nodes of the user's network in the regions of an operation, at any depth.
pub fn inner_nodes(operation: OperationRef<'_, '_>) -> Vec<String> {
    let mut nodes = Vec::new();
    walk(operation, &mut |inner| {
        if inner.to_raw().ptr != operation.to_raw().ptr {
            nodes.extend(inner.origin().nodes);
        }
    });
    nodes
}

/// The first of these operations, branches and loops, in whose regions a node of the user's network is.
pub fn holder_of<'c: 'a, 'a>(
    operations: impl IntoIterator<Item = OperationRef<'c, 'a>>,
    node: &str,
) -> Option<OperationRef<'c, 'a>> {
    operations.into_iter().find(|operation| inner_nodes(*operation).iter().any(|inner| inner == node))
}

/// Names that are taken, so that each is given once.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    /// The number that the next one of a name gets, so that thousands of one name are not counted again and again.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// The names of operations, of what is inside them, and of all nodes that went into those.
    pub fn of<'c: 'a, 'a>(operations: impl IntoIterator<Item = OperationRef<'c, 'a>>) -> Self {
        let mut names = Self::default();
        for operation in operations {
            walk(operation, &mut |operation| {
                let Origin { name, nodes } = operation.origin();
                names.extend(nodes.into_iter().chain([name]));
            });
        }
        names
    }

    /// Whether a name is taken.
    pub fn contains(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// Takes a name; false when it was taken before.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// Takes the name, or the first of `name_1`, `name_2` and so on that is free. An empty name is none and stays.
    pub fn unique(&mut self, name: &str) -> String {
        if name.is_empty() || self.take(name) {
            return name.to_owned();
        }
        let number = self.numbers.entry(name.to_owned()).or_insert(1);
        loop {
            let candidate = format!("{name}_{number}");
            *number += 1;
            if self.taken.insert(candidate.clone()) {
                return candidate;
            }
        }
    }

    /// What is made of a part of an operation, with a name that nothing else has: `Conv_0/pad`, or `Conv_0/pad_1`.
    pub fn derive(&mut self, origin: &Origin, part: &str) -> Origin {
        let Origin { name, nodes } = origin.part(part);
        Origin { name: self.unique(&name), nodes }
    }
}

impl Extend<String> for Names {
    fn extend<T: IntoIterator<Item = String>>(&mut self, names: T) {
        self.taken.extend(names);
    }
}

/// Calls `visit` for an operation and all that is inside it.
fn walk<'c: 'a, 'a>(operation: OperationRef<'c, 'a>, visit: &mut dyn FnMut(OperationRef<'c, 'a>)) {
    visit(operation);
    for region in operation.regions() {
        let mut next = region.first_block();
        while let Some(block) = next {
            for inner in super::operations(block) {
                walk(inner, visit);
            }
            next = block.next_in_region();
        }
    }
}

/// Whether an operation is spoken of by name: it computes something. MLIR shares equal constants, and the end of a block is
/// no node.
fn is_spoken_of(operation: OperationRef<'_, '_>) -> bool {
    let constant =
        hfloat::Op::of(operation) == Some(hfloat::Op::Constant) || bpu::Op::of(operation) == Some(bpu::Op::Constant);
    operation.result_count() > 0 && !constant
}

/// Reports every operation inside a function whose name another one has, too. True when there is none.
pub fn names_are_unique(function: OperationRef<'_, '_>, names: &mut Names) -> bool {
    let mut good = true;
    walk(function, &mut |operation| {
        if is_spoken_of(operation) {
            good &= is_new(&operation.node(), operation, names);
        }
    });
    good
}

/// Takes the name of what an operation holds or is; reports at the operation that it was taken.
pub fn is_new(name: &str, operation: OperationRef<'_, '_>, names: &mut Names) -> bool {
    let new = name.is_empty() || names.take(name);
    if !new {
        let reason = format!("the name '{name}' is given twice; every operation needs one of its own");
        emit_error(operation.location(), &reason);
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str, nodes: &[&str]) -> Origin {
        Origin { name: name.into(), nodes: nodes.iter().map(|node| (*node).to_owned()).collect() }
    }

    #[test]
    fn locations_say_what_they_were_given() {
        let context = Context::new();
        let origins = [
            origin("Conv_0", &["Conv_0"]),
            origin("Conv_0", &["Conv_0", "Relu_1"]),
            origin("Relu_1", &["Conv_0", "Relu_1"]),
            origin("Conv_0/quantize", &["Conv_0"]),
            origin("x/preprocess/cast", &[]),
            origin("a b: \"c\" \\ \n/schön 激活", &["/", "a, b", "\""]),
            Origin::default(),
        ];
        for origin in origins {
            let location = origin.location(&context);
            assert_eq!(Origin::at(location), origin);
            let text = location.to_attribute().to_string();
            let attribute = Attribute::parse(&context, &text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(Origin::at(Location::from_attribute(attribute)), origin, "{text}");
        }
    }

    #[test]
    fn nodes_are_united_in_order() {
        let united = Origin::united([origin("", &[]), origin("b", &["a", "b"]), origin("c", &["c", "a"])]);
        assert_eq!(united, origin("b", &["a", "b", "c"]));
        assert_eq!(united.named("d"), origin("d", &["a", "b", "c"]));
        // What MLIR itself makes of two such locations.
        let context = Context::new();
        let parts = [origin("b/x", &["a", "b"]), origin("c", &["c"])].map(|origin| origin.location(&context));
        // SAFETY: a null attribute means that there is no metadata.
        let none = unsafe { Attribute::from_raw(mlir_sys::mlirAttributeGetNull()) };
        assert_eq!(Origin::at(Location::fused(&context, &parts, none)), origin("b/x", &["a", "b", "c"]));
    }

    #[test]
    fn the_result_is_that_of_the_last_node_and_of_a_part_none() {
        for (name, nodes, result) in [
            ("Conv_0", &["Conv_0"] as &[_], Some("Conv_0")),
            ("Conv_0", &["Conv_0", "Relu_1"], Some("Relu_1")),
            // What fuse-functions makes has the name of the last one.
            ("Mul_2", &["Sigmoid_1", "Mul_2"], Some("Mul_2")),
            ("Mul_2", &["Sigmoid_1", "Mul_2", "Clip_3"], Some("Clip_3")),
            ("Conv_0/quantize", &["Conv_0", "Relu_1"], None),
            ("x/preprocess/cast", &[], None),
            ("", &[], None),
        ] {
            assert_eq!(origin(name, nodes).result_node(), result, "{name} {nodes:?}");
        }
    }

    #[test]
    fn annotations_leave_origins_alone() {
        let context = Context::new();
        let words = attribute::array(&context, &[attribute::string(&context, "word")]);
        for origin in [origin("a", &["a"]), origin("a", &["a", "b"]), origin("a/x", &["a"]), origin("x", &[])] {
            let location = annotated_location(&context, origin.location(&context), words);
            assert_eq!((Origin::at(location), annotation(location)), (origin, Some(words)));
        }
    }

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        names.extend(["Conv_0".to_owned(), "Conv_0/pad".to_owned(), "Conv_0/pad_2".to_owned()]);
        let node = Origin::from("Conv_0");
        assert_eq!(names.derive(&node, "pad"), origin("Conv_0/pad_1", &["Conv_0"]));
        assert_eq!(names.derive(&node, "pad"), origin("Conv_0/pad_3", &["Conv_0"]));
        assert_eq!(names.derive(&node, "crop"), origin("Conv_0/crop", &["Conv_0"]));
        assert_eq!([names.unique(""), names.unique("")], ["", ""]);
    }
}
