//! What each operation makes of several samples: in which dimension of its results they are, if each is computed from itself alone.
//!
//! A dimension of a value holds the samples: what one sample has there comes first, then what the next one has. It need not be the first
//! dimension, and one sample may have several places in it, as the windows or heads of an attention have.

use hb_dialects::{
    hfloat::{
        Op, OpKind, StructuredOp, attributes, gather_axis, normalize_axis, pad_amounts, reduced_dimensions,
        split_sizes, top_k_axis, unsqueeze_axes,
    },
    ir::{IrError, OperationAttributes, TensorType, constant_of},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// What an operation makes of samples.
#[derive(Debug, Default)]
pub struct Effect {
    /// The dimension of each result that holds the samples.
    pub results: Vec<usize>,
    /// What must become of the operation beside.
    pub edits: Vec<Edit>,
}

/// A change of an operation.
#[derive(Debug, PartialEq)]
pub enum Edit {
    /// A constant operand holds its elements along a dimension once for each sample.
    Repeat {
        /// Its number.
        operand: usize,
        /// The dimension.
        axis: usize,
    },
    /// A constant operand has these values instead.
    Integers {
        /// Its number.
        operand: usize,
        /// As many as before.
        values: Vec<i64>,
    },
    /// The operation becomes a reshape to what its result is then.
    Reshape,
}

type Ruled = Result<Effect, String>;

/// An operation and where its operands hold the samples.
pub struct Rule<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    op: Op,
    /// The dimension of each operand that holds the samples; none where it is the same for all of them.
    axes: Vec<Option<usize>>,
    /// Of operands and results, for one sample.
    operands: Vec<Vec<usize>>,
    results: Vec<Vec<usize>>,
    samples: usize,
}

fn text(error: IrError) -> String {
    error.to_string()
}

fn shapes<'c: 'a, 'a>(values: impl Iterator<Item = Value<'c, 'a>>) -> Result<Vec<Vec<usize>>, String> {
    let shape = |value: Value<'c, 'a>| TensorType::from_type(value.r#type()).and_then(|r#type| r#type.static_shape());
    values
        .map(|value| shape(value).map_err(|_| "it has a size that is known only when the network runs".to_owned()))
        .collect()
}

impl<'c: 'a, 'a> Rule<'c, 'a> {
    /// # Errors
    /// When a size is not known.
    pub fn new(
        (operation, op): (OperationRef<'c, 'a>, Op),
        axes: Vec<Option<usize>>,
        samples: usize,
    ) -> Result<Self, String> {
        let mut operands = shapes(operation.operands())?;
        // What computes the operands was visited before.
        for (shape, axis) in operands.iter_mut().zip(&axes) {
            if let Some(size) = axis.and_then(|axis| shape.get_mut(axis)) {
                *size /= samples.max(1);
            }
        }
        let results = shapes(hb_dialects::ir::results(operation).into_iter())?;
        Ok(Self { operation, op, axes, operands, results, samples })
    }

    /// # Errors
    /// Why the operation cannot take several samples at once.
    pub fn effect(&self) -> Ruled {
        let op = match self.op.kind() {
            OpKind::Scalar(_) => return self.elementwise(),
            OpKind::Structured(op) => op,
        };
        match op {
            StructuredOp::Identity
            | StructuredOp::Cast
            | StructuredOp::Clip
            | StructuredOp::Add
            | StructuredOp::Sub
            | StructuredOp::Mul
            | StructuredOp::Div
            | StructuredOp::Pow
            | StructuredOp::PRelu
            | StructuredOp::Max
            | StructuredOp::Min
            | StructuredOp::Mod
            | StructuredOp::BitwiseAnd
            | StructuredOp::BitwiseOr
            | StructuredOp::BitwiseXor
            | StructuredOp::BitCast
            | StructuredOp::Equal
            | StructuredOp::Greater
            | StructuredOp::GreaterOrEqual
            | StructuredOp::Less
            | StructuredOp::LessOrEqual
            | StructuredOp::And
            | StructuredOp::Or
            | StructuredOp::Xor
            | StructuredOp::Not
            | StructuredOp::Where => self.elementwise(),
            // The first dimension of ONNX's images and signals; nothing is shared along it.
            StructuredOp::Conv
            | StructuredOp::ConvTranspose
            | StructuredOp::MaxPool
            | StructuredOp::AveragePool
            | StructuredOp::GlobalAveragePool
            | StructuredOp::GlobalMaxPool
            | StructuredOp::BatchNormalization
            | StructuredOp::InstanceNormalization
            | StructuredOp::GroupNormalization
            | StructuredOp::Lrn
            | StructuredOp::DepthToSpace
            | StructuredOp::SpaceToDepth => self.only_along(&[0]),
            StructuredOp::LayerNormalization => {
                let axis = normalize_axis(attributes::axis(self.operation).map_err(text)?, self.rank(0))?;
                self.only_along(&(0..axis).collect::<Vec<_>>())
            }
            StructuredOp::Softmax | StructuredOp::QuantizeLinear | StructuredOp::DequantizeLinear => {
                self.not_along(attributes::axis(self.operation).map_err(text)?)
            }
            StructuredOp::CumSum | StructuredOp::CumProd => {
                self.not_along(*self.integers(1)?.first().ok_or("its axis is missing")?)
            }
            StructuredOp::TopK => self.not_along(top_k_axis(self.operation)? as i64),
            StructuredOp::Split => self.not_along(split_sizes(self.operation)?.0 as i64),
            StructuredOp::ArgMax | StructuredOp::ArgMin => {
                let axis = normalize_axis(attributes::axis(self.operation).map_err(text)?, self.rank(0))?;
                self.reduced(&(0..self.rank(0)).map(|index| index == axis).collect::<Vec<_>>())
            }
            StructuredOp::ReduceL1
            | StructuredOp::ReduceL2
            | StructuredOp::ReduceLogSum
            | StructuredOp::ReduceLogSumExp
            | StructuredOp::ReduceMax
            | StructuredOp::ReduceMean
            | StructuredOp::ReduceMin
            | StructuredOp::ReduceProd
            | StructuredOp::ReduceSum
            | StructuredOp::ReduceSumSquare => {
                self.reduced(&reduced_dimensions(self.operation)?.ok_or("its axes are not constant")?)
            }
            StructuredOp::Gemm => self.gemm(),
            StructuredOp::MatMul => self.mat_mul(),
            StructuredOp::Concat => self.concat(),
            StructuredOp::Transpose => {
                let axis = self.data()?;
                let permutation = attributes::perm(self.operation).map_err(text)?;
                let to = permutation.iter().position(|&from| from == axis as i64);
                Ok(Effect::along(to.ok_or("it has no such dimension")?))
            }
            StructuredOp::Reshape | StructuredOp::Flatten => self.reshaped(),
            StructuredOp::Squeeze => self.squeezed(),
            StructuredOp::Unsqueeze => self.unsqueezed(),
            StructuredOp::Expand => self.expanded(),
            StructuredOp::Tile => self.tiled(),
            StructuredOp::Slice => self.sliced(),
            StructuredOp::Pad => self.padded(),
            StructuredOp::Gather => self.gathered(),
            StructuredOp::Resize => self.resized(),
            StructuredOp::Lstm | StructuredOp::Gru | StructuredOp::Rnn => self.recurrent(),
            StructuredOp::MaxPoolIndices => Err("its indices count through all samples".to_owned()),
            StructuredOp::Constant
            | StructuredOp::ConstantOfShape
            | StructuredOp::Shape
            | StructuredOp::Range
            | StructuredOp::NonZero
            | StructuredOp::GatherNd
            | StructuredOp::GatherElements
            | StructuredOp::ScatterElements
            | StructuredOp::ScatterNd
            | StructuredOp::Unique
            | StructuredOp::GridSample
            | StructuredOp::RoiAlign
            | StructuredOp::Det
            | StructuredOp::MaxRoiPool
            | StructuredOp::NonMaxSuppression
            | StructuredOp::If
            | StructuredOp::Loop => Err("it looks at all of its input at once, not at each sample alone".to_owned()),
        }
    }

    fn shape(&self, operand: usize) -> &[usize] {
        self.operands.get(operand).map_or(&[], Vec::as_slice)
    }

    fn rank(&self, operand: usize) -> usize {
        self.shape(operand).len()
    }

    fn size(&self, operand: usize, axis: usize) -> usize {
        self.shape(operand).get(axis).copied().unwrap_or(1)
    }

    fn axis(&self, operand: usize) -> Option<usize> {
        self.axes.get(operand).copied().flatten()
    }

    /// The one result.
    fn result(&self) -> &[usize] {
        self.results.first().map_or(&[], Vec::as_slice)
    }

    fn integers(&self, operand: usize) -> Result<Vec<i64>, String> {
        let value = self.operation.operand_at(operand).map_err(text)?;
        let constant = constant_of(value).ok_or_else(|| format!("its operand {operand} is no constant"))?;
        constant.to_i64s().map_err(text)
    }

    /// The dimension of the first operand; the others are the same for all samples.
    fn data(&self) -> Result<usize, String> {
        match self.axes.iter().enumerate().skip(1).find(|(_, axis)| axis.is_some()) {
            Some((operand, _)) => Err(format!("its operand {operand} depends on the sample")),
            None => self.axis(0).ok_or_else(|| "only its parameters depend on the sample".to_owned()),
        }
    }

    /// Samples may be in one of these dimensions, where the results have them, too.
    fn only_along(&self, allowed: &[usize]) -> Ruled {
        let axis = self.data()?;
        if allowed.contains(&axis) {
            return Ok(Effect { results: vec![axis; self.results.len()], edits: Vec::new() });
        }
        Err(format!("the samples are in dimension {axis} of its input, along which it computes"))
    }

    /// Samples may be in any dimension but this one.
    fn not_along(&self, computed: i64) -> Ruled {
        let computed = normalize_axis(computed, self.rank(0))?;
        self.only_along(&(0..self.rank(0)).filter(|axis| *axis != computed).collect::<Vec<_>>())
    }

    /// A dimension of an operand, counted in the result to which it broadcasts.
    fn broadcast_axis(&self, operand: usize, axis: usize, rank: usize) -> usize {
        axis + rank.saturating_sub(self.rank(operand))
    }

    /// Operands that broadcast to a result of this shape.
    fn elementwise(&self) -> Ruled {
        let result = self.result().to_vec();
        let axes = (0..self.axes.len()).filter_map(|operand| Some((operand, self.axis(operand)?)));
        let mut along: Vec<usize> =
            axes.map(|(operand, axis)| self.broadcast_axis(operand, axis, result.len())).collect();
        along.dedup();
        let &[axis] = along.as_slice() else {
            return Err(format!("its operands hold the samples in different dimensions, {along:?}"));
        };
        self.broadcast(&result, axis, &(0..self.axes.len()).collect::<Vec<_>>())
    }

    /// Operands of these numbers broadcast to `result`, which holds the samples in `axis`.
    fn broadcast(&self, result: &[usize], axis: usize, operands: &[usize]) -> Ruled {
        let wanted = result.get(axis).copied().unwrap_or(1);
        let mut effect = Effect::along(axis);
        for &operand in operands {
            // A dimension that the operand has not broadcasts to all samples.
            let Some(own) = (axis + self.rank(operand)).checked_sub(result.len()) else { continue };
            let size = self.size(operand, own);
            if self.axis(operand).is_some() {
                if size != wanted {
                    return Err(format!(
                        "its operand {operand} broadcasts along dimension {own}, which holds the samples"
                    ));
                }
            } else if size != 1 {
                effect.edits.push(Edit::Repeat { operand, axis: own });
            }
        }
        Ok(effect)
    }

    fn reduced(&self, reduced: &[bool]) -> Ruled {
        let axis = self.data()?;
        if reduced.get(axis) != Some(&false) {
            return Err(format!("it joins the elements of dimension {axis}, which holds the samples"));
        }
        let kept = self.result().len() == self.rank(0);
        let vanished = reduced.iter().take(axis).filter(|reduced| **reduced && !kept).count();
        Ok(Effect::along(axis - vanished))
    }

    fn gemm(&self) -> Ruled {
        let rows = usize::from(attributes::trans_a(self.operation).map_err(text)?);
        let columns = usize::from(!attributes::trans_b(self.operation).map_err(text)?);
        let axis = match (self.axis(0), self.axis(1)) {
            (Some(axis), None) if axis == rows => 0,
            (None, Some(axis)) if axis == columns => 1,
            (None, None) => return self.elementwise_term(2),
            _ => return Err("it sums over a dimension that holds the samples".to_owned()),
        };
        if self.axis(2).is_some_and(|own| self.broadcast_axis(2, own, 2) != axis) {
            return Err("its operands hold the samples in different dimensions".to_owned());
        }
        let terms: Vec<usize> = (2..self.axes.len()).collect();
        self.broadcast(self.result(), axis, &terms)
    }

    /// Only what is added depends on the sample.
    fn elementwise_term(&self, operand: usize) -> Ruled {
        Err(format!("only its operand {operand} depends on the sample"))
    }

    fn mat_mul(&self) -> Ruled {
        let summed = "it sums over a dimension that holds the samples".to_owned();
        let ([rank_a, rank_b], rank) = ([self.rank(0), self.rank(1)], self.result().len());
        match (self.axis(0), self.axis(1)) {
            (Some(axis), _) if axis + 1 == rank_a => Err(summed),
            (_, Some(axis)) if axis + 2 == rank_b || rank_b == 1 => Err(summed),
            // Rows of the first, columns of the second.
            (Some(axis), None) if axis + 2 == rank_a => Ok(Effect::along(rank - if rank_b == 1 { 1 } else { 2 })),
            (None, Some(axis)) if axis + 1 == rank_b => Ok(Effect::along(rank - 1)),
            (Some(axis), None) if rank_b == 1 => Ok(Effect::along(axis)),
            (None, Some(axis)) if rank_a == 1 => Ok(Effect::along(axis)),
            (a, b) => {
                let of =
                    |operand: usize, axis: Option<usize>| axis.map(|axis| self.broadcast_axis(operand, axis, rank));
                let both = [of(0, a), of(1, b)];
                let axis = both.into_iter().flatten().max().ok_or("none of its operands depends on the sample")?;
                if both.into_iter().flatten().any(|own| own != axis) || axis + 2 >= rank {
                    return Err("its operands hold the samples in different dimensions".to_owned());
                }
                self.broadcast(self.result(), axis, &[0, 1])
            }
        }
    }

    fn concat(&self) -> Ruled {
        let joined = normalize_axis(attributes::axis(self.operation).map_err(text)?, self.rank(0))?;
        let mut along: Vec<usize> = self.axes.iter().flatten().copied().collect();
        along.dedup();
        let &[axis] = along.as_slice() else {
            return Err(format!("its operands hold the samples in different dimensions, {along:?}"));
        };
        if axis == joined {
            return Err(format!("it joins along dimension {axis}, which holds the samples"));
        }
        let shared = (0..self.axes.len()).filter(|operand| self.axis(*operand).is_none());
        Ok(Effect { results: vec![axis], edits: shared.map(|operand| Edit::Repeat { operand, axis }).collect() })
    }

    /// The result with the samples in a dimension.
    fn scaled_result(&self, axis: usize) -> Vec<i64> {
        let scaled =
            |(index, &size): (usize, &usize)| if index == axis { size.saturating_mul(self.samples) } else { size };
        self.result().iter().enumerate().map(scaled).map(|size| size as i64).collect()
    }

    fn reshaped(&self) -> Ruled {
        let axis = reshaped_axis(self.shape(0), self.data()?, self.result())
            .ok_or("what one sample has is no row of dimensions of its result")?;
        let edit = match self.op {
            Op::Reshape => Edit::Integers { operand: 1, values: self.scaled_result(axis) },
            // What names a dimension of size 1 or counts dimensions may be wrong for more samples.
            _ => Edit::Reshape,
        };
        Ok(Effect { results: vec![axis], edits: vec![edit] })
    }

    fn squeezed(&self) -> Ruled {
        let axis = self.data()?;
        let named = if self.shape(1).iter().product::<usize>() > 0 && self.operands.len() > 1 {
            self.integers(1)?
        } else {
            Vec::new()
        };
        let gone = named.into_iter().map(|named| normalize_axis(named, self.rank(0))).collect::<Result<Vec<_>, _>>()?;
        // Where it is not said which of them go, or the dimension of the samples goes, others are left to hold these.
        if gone.is_empty() || gone.contains(&axis) {
            return self.reshaped();
        }
        Ok(Effect::along(axis - gone.iter().filter(|gone| **gone < axis).count()))
    }

    fn unsqueezed(&self) -> Ruled {
        let data = self.data()?;
        let inserted = unsqueeze_axes(self.operation)?.ok_or("its axes are not constant")?;
        let kept = (0..self.result().len()).filter(|axis| !inserted.contains(axis)).nth(data);
        kept.map(Effect::along).ok_or_else(|| "its result has no such dimension".to_owned())
    }

    fn expanded(&self) -> Ruled {
        let axis = self.broadcast_axis(0, self.data()?, self.result().len());
        let mut effect = self.broadcast(self.result(), axis, &[0])?;
        effect.edits.push(Edit::Integers { operand: 1, values: self.scaled_result(axis) });
        Ok(effect)
    }

    fn tiled(&self) -> Ruled {
        let axis = self.data()?;
        if self.integers(1)?.get(axis) != Some(&1) {
            return Err(format!("it repeats dimension {axis}, which holds the samples"));
        }
        Ok(Effect::along(axis))
    }

    fn sliced(&self) -> Ruled {
        let axis = self.data()?;
        let size = self.size(0, axis) as i64;
        let (starts, mut ends, axes, steps) =
            (self.integers(1)?, self.integers(2)?, self.integers(3)?, self.integers(4)?);
        for (((start, end), named), step) in starts.into_iter().zip(&mut ends).zip(axes).zip(steps) {
            if normalize_axis(named, self.rank(0))? != axis {
                continue;
            }
            if start != 0 || step != 1 || *end < size {
                return Err(format!("it takes a part of dimension {axis}, which holds the samples"));
            }
            // To the end, however far it is.
            *end = i64::from(i32::MAX);
        }
        Ok(Effect { results: vec![axis], edits: vec![Edit::Integers { operand: 2, values: ends }] })
    }

    fn padded(&self) -> Ruled {
        let axis = self.data()?;
        let amounts = pad_amounts(self.operation)?.ok_or("its pads are not constant")?;
        if amounts.get(axis) != Some(&(0, 0)) {
            return Err(format!("it pads dimension {axis}, which holds the samples"));
        }
        Ok(Effect::along(axis))
    }

    fn gathered(&self) -> Ruled {
        let taken = gather_axis(self.operation)?;
        match (self.axis(0), self.axis(1)) {
            (None, Some(axis)) => Ok(Effect::along(taken + axis)),
            (Some(axis), None) if axis < taken => Ok(Effect::along(axis)),
            (Some(axis), None) if axis > taken => Ok(Effect::along(axis + self.rank(1) - 1)),
            // The one place that a sample has in this dimension.
            (Some(axis), None) if self.size(0, axis) == 1 && self.shape(1).iter().product::<usize>() == 1 => {
                self.reshaped().map(|effect| Effect { edits: vec![Edit::Reshape], ..effect })
            }
            (Some(axis), None) => Err(format!("it takes places of dimension {axis}, which holds the samples")),
            _ => Err("both what it takes and from where depend on the sample".to_owned()),
        }
    }

    fn resized(&self) -> Ruled {
        let axis = self.data()?;
        if self.result().get(axis) != Some(&self.size(0, axis)) {
            return Err(format!("it resizes dimension {axis}, which holds the samples"));
        }
        let mut effect = Effect::along(axis);
        let named = attributes::axes(self.operation).map_err(text)?;
        let named = named.unwrap_or_else(|| (0..self.rank(0) as i64).collect());
        if self.operands.get(3).is_some_and(|sizes| sizes.first() != Some(&0)) {
            let mut sizes = self.integers(3)?;
            for (size, named) in sizes.iter_mut().zip(named) {
                if normalize_axis(named, self.rank(0))? == axis {
                    *size = size.saturating_mul(self.samples as i64);
                }
            }
            effect.edits.push(Edit::Integers { operand: 3, values: sizes });
        }
        Ok(effect)
    }

    fn recurrent(&self) -> Ruled {
        let first = attributes::layout(self.operation).map_err(text)?;
        let [batch, state] = if first { [0, 0] } else { [1, 1] };
        let sequence = if first { 0 } else { 2 };
        let expected = [(0, batch), (4, 0), (5, state), (6, state)];
        let mut effect = Effect { results: vec![sequence, state, state], edits: Vec::new() };
        effect.results.truncate(self.results.len());
        for (operand, own) in (0..self.axes.len()).filter_map(|operand| Some((operand, self.axis(operand)?))) {
            if !expected.contains(&(operand, own)) {
                return Err(format!("its operand {operand} holds the samples in dimension {own}"));
            }
        }
        for (operand, axis) in expected {
            let absent = self.operands.get(operand).is_none_or(|shape| shape.first() == Some(&0));
            if self.axis(operand).is_none() && !absent {
                effect.edits.push(Edit::Repeat { operand, axis });
            }
        }
        Ok(effect)
    }
}

impl Effect {
    /// One result with the samples in this dimension, and nothing else to change.
    fn along(axis: usize) -> Self {
        Self { results: vec![axis], edits: Vec::new() }
    }
}

/// The dimension of `to` that holds the samples when dimension `axis` of `from` does, of which it is a reshape: as many elements come
/// before it. A dimension that is nothing but the samples stays one where it can: one of size 1 at the same place, else the first of size 1. Others
/// stay at their place, or are the first that fits.
fn reshaped_axis(from: &[usize], axis: usize, to: &[usize]) -> Option<usize> {
    let before = |shape: &[usize], axis: usize| shape.iter().take(axis).product::<usize>();
    let outer = before(from, axis);
    let fits = |candidate: &usize| *candidate < to.len() && before(to, *candidate) == outer;
    let is_alone = from.get(axis) == Some(&1);
    let alone = |candidate: &usize| is_alone && fits(candidate) && to.get(*candidate) == Some(&1);
    let same = Some(axis).filter(alone).or_else(|| (0..to.len()).find(alone));
    same.or_else(|| Some(axis).filter(fits)).or_else(|| (0..to.len()).find(fits)).filter(|_| !to.contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_whole_in_a_reshape() {
        // Heads, windows and their way back.
        assert_eq!(reshaped_axis(&[1, 8, 4], 0, &[8, 4]), Some(0));
        assert_eq!(reshaped_axis(&[8, 4], 0, &[1, 8, 4]), Some(0));
        assert_eq!(reshaped_axis(&[3, 1, 12, 5], 1, &[3, 12, 5]), Some(1));
        assert_eq!(reshaped_axis(&[1, 1, 6], 1, &[1, 1, 2, 3]), Some(1));
        assert_eq!(reshaped_axis(&[7, 1, 6], 1, &[7, 6]), Some(1));
        // Samples that had a dimension of their own keep one, whichever others of size 1 come or go.
        assert_eq!(reshaped_axis(&[4, 8, 1, 8], 2, &[32, 1, 8]), Some(1));
        assert_eq!(reshaped_axis(&[4, 1, 1, 64], 2, &[4, 1, 64]), Some(1));
        assert_eq!(reshaped_axis(&[5, 1, 3], 1, &[1, 5, 3]), Some(2));
        // Two samples of [2, 3] are no row of a [3, 2] whose first dimension is cut through.
        assert_eq!(reshaped_axis(&[4, 1, 3], 1, &[2, 6]), None);
        assert_eq!(reshaped_axis(&[1, 6], 0, &[]), None);
    }
}
