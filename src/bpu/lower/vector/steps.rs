//! The steps of a program from scalar expressions.

use super::axes::{Axes, Dims, Frame};
use crate::cpu::expression::{Binary, Comparison, Expression, ExpressionKind, GraphTensorId, Unary};
use crate::cpu::graph::{Action, Combiner, Reduction};
use crate::cpu::{ExpressionGraph, Scalar};
use crate::numerics::{VectorBinary, VectorProgram, VectorReduction, VectorStep, VectorUnary};
use hb_dialects::ElementType;
use std::collections::HashMap;

/// The program of an operation.
pub struct Derived {
    pub frame: Frame,
    pub program: VectorProgram,
    /// For each operand of the program: what it is, and the dimensions of the frame behind each of its own.
    pub operands: Vec<(ProgramOperand, Vec<Dims>)>,
    /// The dimensions of the frame that the result has, in its order.
    pub result: Dims,
}

/// What an operand of a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramOperand {
    /// An operand of the operation.
    Of(usize),
    /// The position along its dimensions.
    Positions,
}

/// Whole numbers up to this are f32 exactly.
const EXACT: i128 = 1 << 24;

const PRODUCTS: &str = "sums of products are for the matrix engine, not for the VPU";

fn sums_products(action: &Action) -> bool {
    let Action::Compute(compute) = action else { return false };
    compute.reduction.as_ref().is_some_and(|reduction| reduction.combiner == Combiner::SumOfProducts)
}

/// A tensor that is an operand of a program, or the positions along dimensions of the frame.
#[derive(Debug, Clone, PartialEq)]
enum Source {
    Tensor(GraphTensorId),
    Positions(Dims),
}

struct Writer<'g> {
    graph: &'g ExpressionGraph,
    axes: &'g Axes<'g>,
    /// The number of the computation at hand.
    compute: usize,
    steps: Vec<VectorStep>,
    /// What tensors hold, by the tensor whose memory they are.
    values: HashMap<GraphTensorId, u8>,
    /// What the operands of the program are.
    operands: Vec<Source>,
    /// The combined elements of the computation at hand.
    accumulator: Option<u8>,
}

impl Derived {
    /// Derives the program of a graph.
    ///
    /// # Errors
    /// Why it has none.
    pub fn of(graph: &ExpressionGraph) -> Result<Derived, String> {
        if graph.actions.iter().any(sums_products) {
            return Err(PRODUCTS.into());
        }
        let axes = Axes::of(graph)?;
        let (values, operands) = (HashMap::new(), Vec::new());
        let mut writer =
            Writer { graph, axes: &axes, compute: 0, steps: Vec::new(), values, operands, accumulator: None };
        for (number, compute) in axes.computes.iter().enumerate() {
            writer.compute = number;
            let body = writer.expression(&compute.body)?;
            let value = match &compute.reduction {
                None => body,
                Some(reduction) => writer.reduction(reduction, body, axes.combines(number))?,
            };
            writer.values.insert(compute.output, value);
        }
        let [output] = graph.outputs[..] else { return Err("it has more than one result".into()) };
        let last = *writer.values.get(&graph.storage(output)).ok_or("its result is an operand of it")?;
        writer.steps.truncate(usize::from(last) + 1);
        let Writer { steps, operands: sources, .. } = writer;
        let mut operands = Vec::with_capacity(sources.len());
        for source in sources {
            operands.push(match source {
                Source::Tensor(id) => {
                    // The inputs of the graph are the operands of the operation.
                    let index = graph.inputs.iter().position(|input| *input == id);
                    (ProgramOperand::Of(index.ok_or("it reads what is no operand")?), axes.tensor(id)?)
                }
                Source::Positions(dims) => (ProgramOperand::Positions, vec![dims]),
            });
        }
        let result = axes.tensor(output)?.concat();
        let frame = axes.frame;
        let whole = (0..frame.sizes.len()).all(|dim| result.contains(&dim));
        let rows = (0..frame.sizes.len()).all(|dim| result.contains(&dim) != frame.reduced[dim]);
        if !whole && !rows {
            return Err("its result has neither all elements of a row nor one of each".into());
        }
        Ok(Derived { frame, program: VectorProgram::new(steps)?, operands, result })
    }
}

impl Writer<'_> {
    /// The number of a step, which may be there already.
    fn step(&mut self, step: VectorStep) -> Result<u8, String> {
        let same = |known: &VectorStep| match (known, &step) {
            (VectorStep::Constant(a), VectorStep::Constant(b)) => a.to_bits() == b.to_bits(),
            (known, step) => known == step,
        };
        let position = self.steps.iter().position(same).unwrap_or_else(|| {
            self.steps.push(step);
            self.steps.len() - 1
        });
        u8::try_from(position).map_err(|_| "it has more steps than a program of the VPU".to_string())
    }

    fn unary(&mut self, function: VectorUnary, a: u8) -> Result<u8, String> {
        self.step(VectorStep::Unary(function, a))
    }

    fn binary(&mut self, function: VectorBinary, a: u8, b: u8) -> Result<u8, String> {
        self.step(VectorStep::Binary(function, a, b))
    }

    fn constant(&mut self, value: Scalar) -> Result<u8, String> {
        if let Scalar::Integer(value) = value
            && value.abs() > EXACT
        {
            return Err(format!("it computes with {value}, and f32 holds whole numbers up to {EXACT}"));
        }
        self.step(VectorStep::Constant(value.as_f64() as f32))
    }

    fn reduction(&mut self, reduction: &Reduction, body: u8, combines: bool) -> Result<u8, String> {
        let kind = match reduction.combiner {
            Combiner::Sum => VectorReduction::Sum,
            Combiner::Product => VectorReduction::Product,
            Combiner::Maximum => VectorReduction::Maximum,
            Combiner::Minimum => VectorReduction::Minimum,
            Combiner::SumOfProducts => return Err(PRODUCTS.into()),
        };
        // Of one element there is nothing to combine.
        let combined = if combines { self.step(VectorStep::Reduce(kind, body))? } else { body };
        self.accumulator = Some(combined);
        let value = self.expression(&reduction.finish);
        self.accumulator = None;
        value
    }

    /// The one element of a constant.
    fn number(&self, tensor: GraphTensorId) -> Option<Scalar> {
        let data = self.graph.tensor(self.graph.storage(tensor))?.data.as_ref()?;
        if data.len() == 1 { data.get(0) } else { None }
    }

    fn load(&mut self, tensor: GraphTensorId) -> Result<u8, String> {
        let storage = self.graph.storage(tensor);
        if let Some(value) = self.values.get(&storage) {
            return Ok(*value);
        }
        if self.graph.tensor(storage).is_some_and(|tensor| tensor.data.is_some()) {
            return Err("it reads a constant of a type that the VPU has not".into());
        }
        self.load_operand(Source::Tensor(storage))
    }

    fn load_operand(&mut self, source: Source) -> Result<u8, String> {
        let known = self.operands.iter().position(|operand| *operand == source);
        let operand = known.unwrap_or_else(|| {
            self.operands.push(source);
            self.operands.len() - 1
        });
        let operand =
            u8::try_from(operand).map_err(|_| "it has too many operands for a program of the VPU".to_string())?;
        self.step(VectorStep::Load(operand))
    }

    /// The position along an axis of the computation at hand.
    fn position(&mut self, axis: usize) -> Result<u8, String> {
        let dims = self.axes.axis(self.compute, axis).ok_or("its parts have no axes in common")?;
        let size: usize = dims.iter().filter_map(|dim| self.axes.frame.sizes.get(*dim)).product();
        if size as i128 > EXACT {
            return Err(format!("it has {size} positions, and f32 holds {EXACT}"));
        }
        if dims.is_empty() {
            return self.constant(Scalar::Integer(0));
        }
        self.load_operand(Source::Positions(dims))
    }

    /// A real as an integer of the network: whole, toward zero, within the type; what is no number is 0.
    fn whole(&mut self, value: u8, element: ElementType) -> Result<u8, String> {
        let (low, high) = element.integer_range().ok_or("it converts to a type that the VPU has not")?;
        let zero = self.constant(Scalar::Float(0.0))?;
        let is_negative = self.binary(VectorBinary::Less, value, zero)?;
        let (up, down) = (self.unary(VectorUnary::Ceil, value)?, self.unary(VectorUnary::Floor, value)?);
        let whole = self.step(VectorStep::Select(is_negative, up, down))?;
        let (low, high) = (self.constant(Scalar::Float(low as f64))?, self.constant(Scalar::Float(high as f64))?);
        let above = self.binary(VectorBinary::Maximum, whole, low)?;
        let within = self.binary(VectorBinary::Minimum, above, high)?;
        let is_number = self.binary(VectorBinary::Equal, value, value)?;
        self.step(VectorStep::Select(is_number, within, zero))
    }

    /// The step that gives what an expression is. Truth values are 1 and 0; floats of all widths are f32.
    fn expression(&mut self, expression: &Expression) -> Result<u8, String> {
        let element = expression.element();
        if let ExpressionKind::Load { tensor, .. } = expression.kind()
            && let Some(number) = self.number(*tensor)
        {
            return self.constant(number);
        }
        let is_integer = matches!(element, ElementType::I32 | ElementType::I64);
        let computes = matches!(expression.kind(), ExpressionKind::Unary(..) | ExpressionKind::Binary(..));
        let is_known = matches!(element, ElementType::F32 | ElementType::F64 | ElementType::Bool);
        // Whole numbers may be chosen and compared.
        if !is_known && (!is_integer || computes) {
            return Err(format!("it computes in {element}, and the VPU in f32"));
        }
        match expression.kind() {
            ExpressionKind::Axis(axis) => self.position(*axis),
            ExpressionKind::Accumulator => self.accumulator.ok_or_else(|| "it has no accumulator".into()),
            ExpressionKind::Constant(value) => self.constant(*value),
            ExpressionKind::Load { tensor, .. } => self.load(*tensor),
            ExpressionKind::Cast(a) => {
                let value = self.expression(a)?;
                match element {
                    ElementType::Bool => self.is_not_zero(value),
                    ElementType::I32 | ElementType::I64 if a.element().is_float() => self.whole(value, element),
                    ElementType::I32 if a.element() != ElementType::Bool && a.element() != ElementType::I32 => {
                        Err(format!("it converts from {} to {element}", a.element()))
                    }
                    _ => Ok(value),
                }
            }
            ExpressionKind::Unary(function, a) => {
                let a = self.expression(a)?;
                self.function(*function, a)
            }
            ExpressionKind::Binary(function, a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                self.function_of_two(*function, a, b, element == ElementType::Bool)
            }
            ExpressionKind::Compare(comparison, a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                let function = match comparison {
                    Comparison::Less => VectorBinary::Less,
                    Comparison::LessOrEqual => VectorBinary::LessOrEqual,
                    Comparison::Equal => VectorBinary::Equal,
                };
                self.binary(function, a, b)
            }
            ExpressionKind::Select(condition, a, b) => {
                let (condition, a, b) = (self.expression(condition)?, self.expression(a)?, self.expression(b)?);
                self.step(VectorStep::Select(condition, a, b))
            }
        }
    }

    fn is_zero(&mut self, value: u8) -> Result<u8, String> {
        let zero = self.constant(Scalar::Float(0.0))?;
        self.binary(VectorBinary::Equal, value, zero)
    }

    fn is_not_zero(&mut self, value: u8) -> Result<u8, String> {
        let is_zero = self.is_zero(value)?;
        self.is_zero(is_zero)
    }

    fn function(&mut self, function: Unary, a: u8) -> Result<u8, String> {
        let function = match function {
            Unary::Negate => VectorUnary::Negate,
            Unary::Absolute => VectorUnary::Absolute,
            Unary::Exponential => VectorUnary::Exponential,
            Unary::Logarithm => VectorUnary::Logarithm,
            Unary::SquareRoot => VectorUnary::SquareRoot,
            Unary::Tanh => VectorUnary::Tanh,
            Unary::Erf => VectorUnary::Erf,
            Unary::Floor => VectorUnary::Floor,
            Unary::Ceil => VectorUnary::Ceil,
            Unary::Round => VectorUnary::Round,
            Unary::Not => return self.is_zero(a),
            Unary::Sine | Unary::Cosine => return Err("the VPU has neither sine nor cosine".into()),
            Unary::Library(function) => return Err(format!("the VPU has no {}", function.names().0)),
        };
        self.unary(function, a)
    }

    fn function_of_two(&mut self, function: Binary, a: u8, b: u8, of_truth: bool) -> Result<u8, String> {
        let function = match function {
            Binary::And | Binary::Or | Binary::Xor if !of_truth => return Err("the VPU has no bits of integers".into()),
            Binary::Maximum | Binary::Or => VectorBinary::Maximum,
            Binary::Minimum | Binary::And => VectorBinary::Minimum,
            Binary::Xor => {
                let equal = self.binary(VectorBinary::Equal, a, b)?;
                return self.is_zero(equal);
            }
            Binary::Power => VectorBinary::Power,
            _ if of_truth => return Err("it computes with truth values".into()),
            Binary::Add => VectorBinary::Add,
            Binary::Subtract => VectorBinary::Subtract,
            Binary::Multiply => VectorBinary::Multiply,
            Binary::Divide => VectorBinary::Divide,
            Binary::FloorDivide | Binary::Modulo | Binary::Remainder => {
                return Err("the VPU has no remainders".into());
            }
        };
        self.binary(function, a, b)
    }
}
