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
    /// For each operand of the program: which of the operation it is, and the dimensions of the frame behind each of its own.
    pub operands: Vec<(usize, Vec<Dims>)>,
    /// The dimensions of the frame that the result has, in its order.
    pub result: Dims,
}

const PRODUCTS: &str = "sums of products are for the matrix engine, not for the VPU";

fn sums_products(action: &Action) -> bool {
    let Action::Compute(compute) = action else { return false };
    compute.reduction.as_ref().is_some_and(|reduction| reduction.combiner == Combiner::SumOfProducts)
}

struct Writer<'g> {
    graph: &'g ExpressionGraph,
    steps: Vec<VectorStep>,
    /// What tensors hold, by the tensor whose memory they are.
    values: HashMap<GraphTensorId, u8>,
    /// The tensors that are operands of the program.
    operands: Vec<GraphTensorId>,
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
        let mut writer = Writer { graph, steps: Vec::new(), values, operands, accumulator: None };
        for (number, compute) in axes.computes.iter().enumerate() {
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
        let mut operands = Vec::with_capacity(writer.operands.len());
        for id in &writer.operands {
            // The inputs of the graph are the operands of the operation.
            let index = graph.inputs.iter().position(|input| input == id).ok_or("it reads what is no operand")?;
            operands.push((index, axes.tensor(*id)?));
        }
        let result = axes.tensor(output)?.concat();
        let frame = axes.frame;
        let whole = (0..frame.sizes.len()).all(|dim| result.contains(&dim));
        let rows = (0..frame.sizes.len()).all(|dim| result.contains(&dim) != frame.reduced[dim]);
        if !whole && !rows {
            return Err("its result has neither all elements of a row nor one of each".into());
        }
        Ok(Derived { frame, program: VectorProgram::new(writer.steps)?, operands, result })
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
        let known = self.operands.iter().position(|operand| *operand == storage);
        let operand = known.unwrap_or_else(|| {
            self.operands.push(storage);
            self.operands.len() - 1
        });
        let operand =
            u8::try_from(operand).map_err(|_| "it has too many operands for a program of the VPU".to_string())?;
        self.step(VectorStep::Load(operand))
    }

    /// The step that gives what an expression is. Truth values are 1 and 0; floats of all widths are f32.
    fn expression(&mut self, expression: &Expression) -> Result<u8, String> {
        let element = expression.element();
        if let ExpressionKind::Load { tensor, .. } = expression.kind()
            && let Some(number) = self.number(*tensor)
        {
            return self.constant(number);
        }
        if !matches!(element, ElementType::F32 | ElementType::F64 | ElementType::Bool) {
            return Err(match expression.kind() {
                ExpressionKind::Axis(_) => "it computes with positions, which the VPU does not know".into(),
                _ => format!("it computes in {element}, and the VPU in f32"),
            });
        }
        match expression.kind() {
            ExpressionKind::Axis(_) => Err("it computes with positions, which the VPU does not know".into()),
            ExpressionKind::Accumulator => self.accumulator.ok_or_else(|| "it has no accumulator".into()),
            ExpressionKind::Constant(value) => self.constant(*value),
            ExpressionKind::Load { tensor, .. } => self.load(*tensor),
            ExpressionKind::Cast(a) => {
                let value = self.expression(a)?;
                if element == ElementType::Bool { self.is_not_zero(value) } else { Ok(value) }
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
