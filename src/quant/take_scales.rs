//! `quant-take-scales`: what a network says of its own integers.

use super::{
    clips::{clip_after, may_leave},
    given_ranges::{GivenRange, given_range},
    groups::ScaleGroups,
    insert_casts::first_result,
    requests::round_result,
    rules::{ResultScale, rule_of},
    thresholds::{ThresholdRange, Thresholds, range_here, value_name, write_range},
    wide_weights::{part_ranges, split_wide_weights},
};
use crate::float::fuse_activation;
use hb_dialects::{
    hfloat::Op,
    ir::{self, IrError, Names, OperationAttributes},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, operation::OperationLike};
use std::collections::{BTreeMap, HashMap, HashSet};

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-take-scales",
    summary: "Take the scales that a network brings",
    description: "A value that goes through `hfloat.quantize_linear` and `hfloat.dequantize_linear` of the same constant scale and zero point is read as it is, \
and the integers are what quantization will make of it: `hfloat.threshold`, `hfloat.bits` and `hfloat.zero_point` of the value whose scale it has say so. So they do of a \
value that only one of both is about. uint8 becomes int8, whose zero point is lower by 128. Integers of 16 bits with a zero point become symmetric ones that reach as far. \
Integers also clip: where the network's end before those do that the value has here, or are narrower, a `clip` takes the place of the pair, if possible as the activation of the operation before it. \
A pair stays where all that reads its value and what computes it work on real numbers. Of a layer whose weights the network holds as integers of 16 bits the pass makes the sum of two, \
as `quant-split-weights` does. Where two scales are said of values that share one, the first holds.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    split_wide_weights(function)?;
    take_scales(function).map(|_| ())
}

/// What a network says of its own integers.
#[derive(Debug, Default)]
pub struct TakenScales {
    /// The ranges of values by their names.
    pub ranges: Thresholds,
    /// By the names of values: the node whose result was what the network made of the value. Integers also clip, so that it may be all that
    /// is left of a Relu.
    pub shown_by: BTreeMap<String, String>,
    /// The names of values whose integers have 16 bits and a zero point in the network, and here none.
    pub made_symmetric: Vec<String>,
    /// The names of the Clips that stand for integers that end earlier.
    pub clips: Vec<String>,
    /// Nodes whose scales have no form here, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// Does what the pass does, save for layers of 16 bits, which [`split_wide_weights`] has split.
///
/// # Errors
/// When attributes or types cannot be read.
pub fn take_scales(function: OperationRef<'_, '_>) -> Result<TakenScales, PassFailure> {
    round_results(function)?;
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    // Most networks say nothing.
    if !operations.iter().any(|operation| matches!(Op::of(*operation), Some(Op::QuantizeLinear | Op::DequantizeLinear)))
    {
        return Ok(TakenScales { ranges: part_ranges(function)?, ..TakenScales::default() });
    }
    let mut taking = Taking::of(function)?;
    for operation in operations {
        match given_range(operation)? {
            None => {}
            Some(Err(reason)) => taking.taken.refused.push((operation.node(), reason)),
            Some(Ok(given)) if Op::QuantizeLinear.is(operation) => taking.say(operation.operand_at(0)?, given),
            Some(Ok(given)) => taking.take(operation, given)?,
        }
    }
    taking.settle()
}

/// A Clip in the place of a pair.
struct Clip<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    given: GivenRange,
    /// The node that gave the value after the integers.
    shown_by: String,
    /// Whether the operation before it may clip instead.
    may_fuse: bool,
}

/// The walk over a network.
struct Taking<'c, 'a> {
    function: OperationRef<'c, 'a>,
    taken: TakenScales,
    said: Vec<(Value<'c, 'a>, GivenRange)>,
    firsts: FirstRanges<'c, 'a>,
    clips: Vec<Clip<'c, 'a>>,
    /// The results of Clips by the address of the integers that they stand for.
    clipped: HashMap<usize, Value<'c, 'a>>,
    names: Names,
}

impl<'c, 'a> Taking<'c, 'a> {
    fn of(function: OperationRef<'c, 'a>) -> Result<Self, IrError> {
        let groups = ScaleGroups::of(function)?;
        Ok(Self {
            function,
            taken: TakenScales::default(),
            said: Vec::new(),
            firsts: FirstRanges { function, groups, gone: HashMap::new(), first: HashMap::new() },
            clips: Vec::new(),
            clipped: HashMap::new(),
            names: Names::of([function]),
        })
    }

    fn say(&mut self, value: Value<'c, 'a>, given: GivenRange) {
        self.said.push((value, given));
    }

    /// Takes the pair away that ends with this `dequantize_linear`, or leaves it and says what its result is.
    fn take(&mut self, dequantize: OperationRef<'c, 'a>, given: GivenRange) -> Result<(), PassFailure> {
        let integers = dequantize.operand_at(0)?;
        let result = first_result(dequantize)?;
        let Some(quantize) = quantize_of(integers, given)? else {
            self.say(result, given);
            return Ok(());
        };
        let value = quantize.operand_at(0)?;
        let has_integers = has_integers(value, result, given.range)?;
        if !has_integers && !has_quantized_reader(result)? {
            self.say(result, given);
            return Ok(());
        }
        let first = self.firsts.of(value, given.range)?;
        let is_narrower = first.bits > given.range.bits;
        let clips = match given.clips(first) {
            Some(interval) => may_leave(value, interval)?,
            None => false,
        };
        let shown = match self.clipped.get(&ir::address(integers)) {
            Some(shown) => *shown,
            None if has_integers && !is_narrower && !clips => value,
            None => {
                let may_fuse = has_integers && given.range == first;
                self.clip(quantize, (given, may_fuse), dequantize.node())?
            }
        };
        if given.clips(first).is_some() && given.range != first || is_narrower {
            // What is before the pair keeps its own range.
            self.said.retain(|(said, of)| ir::address(*said) != ir::address(value) || *of != given);
        }
        self.firsts.gone.insert(ir::address(result), value);
        if ir::address(shown) == ir::address(value) {
            let name = value_name(self.function, value);
            self.taken.shown_by.entry(name).or_insert_with(|| dequantize.node());
        }
        ir::replace_all_uses(result, shown);
        // SAFETY: nothing reads its result any more, and the walk is past it.
        unsafe { ir::erase(dequantize) };
        if ir::users(integers).is_empty() {
            // SAFETY: as above.
            unsafe { ir::erase(quantize) };
        }
        Ok(())
    }

    /// Puts a Clip behind a `quantize_linear`.
    fn clip(
        &mut self,
        quantize: OperationRef<'c, 'a>,
        (given, may_fuse): (GivenRange, bool),
        shown_by: String,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let operation = clip_after(quantize, quantize.operand_at(0)?, given.ends, &mut self.names)?;
        let result = first_result(operation)?;
        self.clipped.insert(ir::address(first_result(quantize)?), result);
        self.clips.push(Clip { operation, given, shown_by, may_fuse });
        Ok(result)
    }

    /// Makes Clips activations where that is possible, and writes the ranges.
    fn settle(mut self) -> Result<TakenScales, PassFailure> {
        for Clip { operation, given, shown_by, may_fuse } in std::mem::take(&mut self.clips) {
            let (value, result) = (operation.operand_at(0)?, first_result(operation)?);
            let (name, bounds) = (operation.node(), operation.operands().skip(1).collect::<Vec<_>>());
            let name = if may_fuse && fuse_activation(operation)? {
                erase_unused(&bounds);
                for (said, _) in self.said.iter_mut().filter(|(said, _)| ir::address(*said) == ir::address(result)) {
                    *said = value;
                }
                value_name(self.function, value)
            } else {
                self.said.push((result, given));
                self.taken.clips.push(name.clone());
                name
            };
            self.taken.shown_by.entry(name).or_insert(shown_by);
        }
        let Self { function, mut taken, said, .. } = self;
        taken.made_symmetric = made_symmetric(function, &said)?;
        taken.ranges = write_ranges(function, said)?;
        taken.ranges.extend(part_ranges(function)?);
        Ok(taken)
    }
}

/// The names of values that have another zero point in the network.
fn made_symmetric<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    said: &[(Value<'c, 'a>, GivenRange)],
) -> Result<Vec<String>, IrError> {
    let groups = ScaleGroups::of(function)?;
    let values = said.iter().filter(|(_, given)| given.made_symmetric).map(|(value, _)| groups.source(*value));
    let mut known = HashSet::new();
    Ok(values.map(|value| value_name(function, value)).filter(|name| known.insert(name.clone())).collect())
}

fn erase_unused(values: &[Value<'_, '_>]) {
    for operation in values.iter().filter_map(|value| ir::defining_operation(*value)) {
        if ir::results(operation).into_iter().all(|result| ir::users(result).is_empty()) {
            // SAFETY: nothing reads it.
            unsafe { ir::erase(operation) };
        }
    }
}

/// What the network makes integers of is wanted as such, also where it ends the network. Which pairs stay depends on that, so it is known first.
fn round_results(function: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if Op::QuantizeLinear.is(operation)
            && matches!(given_range(operation)?, Some(Ok(_)))
            && let Some(by) = ir::defining_operation(operation.operand_at(0)?)
        {
            round_result(by)?;
        }
    }
    Ok(())
}

/// Writes the ranges of values whose scales were said, the first of each.
fn write_ranges(function: OperationRef<'_, '_>, said: Vec<(Value<'_, '_>, GivenRange)>) -> Result<Thresholds, IrError> {
    let groups = ScaleGroups::of(function)?;
    let mut ranges = Thresholds::new();
    for (value, GivenRange { range, .. }) in said {
        let source = groups.source(value);
        let name = value_name(function, source);
        let first = *ranges.entry(name.clone()).or_insert(range);
        if first == range {
            write_range(function, source, range);
        } else {
            let [kept, other] = [first, range].map(|range| range.affine().scale);
            tracing::info!(
                "the value of '{name}' has the scale {kept} wherever it goes; the network says {other}, too"
            );
        }
    }
    Ok(ranges)
}

/// The `quantize_linear` of these integers, if it has this range.
fn quantize_of<'c: 'a, 'a>(
    integers: Value<'c, 'a>,
    given: GivenRange,
) -> Result<Option<OperationRef<'c, 'a>>, IrError> {
    let Some(by) = ir::defining_operation(integers).filter(|by| Op::QuantizeLinear.is(*by)) else { return Ok(None) };
    Ok((given_range(by)? == Some(Ok(given))).then_some(by))
}

/// The ranges that hold because they are said first, while pairs go.
struct FirstRanges<'c, 'a> {
    function: OperationRef<'c, 'a>,
    /// As the network was, where each pair ends a group.
    groups: ScaleGroups<'c, 'a>,
    /// By the address of the result of a pair that is gone: the value that is read in its place.
    gone: HashMap<usize, Value<'c, 'a>>,
    /// By the address of the value whose scale others have.
    first: HashMap<usize, ThresholdRange>,
}

impl<'c, 'a> FirstRanges<'c, 'a> {
    /// The range of a value, which is `range` if it has none yet.
    fn of(&mut self, value: Value<'c, 'a>, range: ThresholdRange) -> Result<ThresholdRange, PassFailure> {
        let mut source = self.groups.source(value);
        while let Some(kept) = self.gone.get(&ir::address(source)) {
            source = self.groups.source(*kept);
        }
        let assigned = range_here(self.function, source).map_err(PassFailure::Message)?;
        Ok(*self.first.entry(ir::address(source)).or_insert(assigned.unwrap_or(range)))
    }
}

/// Whether a value will have integers of this range wherever it is read, so that they clip it as the pair that gives `result` does: because what
/// computes it gives integers, or all that reads it sees such.
fn has_integers(value: Value<'_, '_>, result: Value<'_, '_>, range: ThresholdRange) -> Result<bool, IrError> {
    let mut maker = ir::defining_operation(value);
    while let Some(operation) = maker {
        let Some(rule) = rule_of(operation)? else { break };
        match rule.result(operation)? {
            ResultScale::LikeInput => maker = ir::defining_operation(operation.operand_at(0)?),
            scale => return Ok(scale == ResultScale::Own),
        }
    }
    sees_integers(result, range)
}

/// Whether something on the BPU reads a value.
fn has_quantized_reader(value: Value<'_, '_>) -> Result<bool, IrError> {
    for reader in ir::users(value) {
        if rule_of(reader)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether all that reads a value sees integers, or clips to this range itself.
fn sees_integers(value: Value<'_, '_>, range: ThresholdRange) -> Result<bool, IrError> {
    for reader in ir::users(value) {
        let sees = match rule_of(reader)? {
            Some(rule) => match rule.result(reader)? {
                ResultScale::OwnOrFloat => false,
                ResultScale::LikeInput => {
                    let mut results = ir::results(reader).into_iter();
                    results.try_fold(true, |all, result| Ok::<_, IrError>(all && sees_integers(result, range)?))?
                }
                ResultScale::Own | ResultScale::OwnOrExact => true,
            },
            None => {
                Op::QuantizeLinear.is(reader) && matches!(given_range(reader)?, Some(Ok(given)) if given.range == range)
            }
        };
        if !sees {
            return Ok(false);
        }
    }
    Ok(true)
}
