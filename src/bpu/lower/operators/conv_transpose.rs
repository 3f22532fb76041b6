//! Transposed convolution as ordinary ones.
//!
//! Outputs whose positions agree modulo the stride see the same cells of the kernel: a *phase*. Each phase is a convolution of
//! stride 1 with those cells in reverse order, and the phases are interleaved. So nothing is multiplied by inserted zeros.

use super::window::{activation, channels_last, constant, image};
use crate::bpu::lower::{
    builder::{Builder, ITSELF, ValueForm, clamp_of},
    values::{QuantizedConstant, QuantizedValue, Worth},
};
use crate::bpu::model::{Clamp, Convolution, Operator, TensorId};
use hb_dialects::{
    hfloat::{TransposedWindow, attributes},
    ir::Scale,
};
use melior::ir::{OperationRef, operation::OperationLike};

/// One of height and width.
#[derive(Clone, Copy)]
struct Dimension {
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    output: usize,
}

/// The outputs `number`, `number + stride`, ... of a dimension.
#[derive(Clone, PartialEq)]
struct Phase {
    /// Cells of the kernel, in the order of the inputs that they meet; none: the phase has only its bias.
    taps: Vec<usize>,
    /// Distance of those inputs.
    dilation: usize,
    /// First and last input cell that takes part, which may lie outside.
    first: isize,
    last: isize,
}

impl Dimension {
    /// Outputs of every phase; those behind the end of the result are cut off.
    fn count(&self) -> usize {
        self.output.div_ceil(self.stride)
    }

    fn phase(&self, number: usize) -> Phase {
        let position = (number + self.begin) as isize;
        let (stride, dilation) = (self.stride as isize, self.dilation as isize);
        // Output `number + q * stride` meets input `q + (position - k * dilation) / stride` at the cells k where that is whole.
        let meets = |&k: &usize| (position - k as isize * dilation).rem_euclid(stride) == 0;
        let taps: Vec<usize> = (0..self.kernel).rev().filter(meets).collect();
        let outputs = self.count() as isize - 1;
        let input = |k: usize| (position - k as isize * dilation) / stride;
        let (Some(&begin), Some(&end)) = (taps.first(), taps.last()) else {
            return Phase { taps, dilation: 1, first: 0, last: outputs };
        };
        let step = taps.get(1).map_or(1, |&second| input(second) - input(begin));
        let phase = Phase {
            dilation: step.unsigned_abs(),
            first: input(begin),
            last: input(end) + outputs,
            taps: taps.clone(),
        };
        if phase.first >= self.size as isize || phase.last < 0 {
            return Phase { taps: Vec::new(), dilation: 1, first: 0, last: outputs };
        }
        phase
    }
}

impl Phase {
    /// Which of `size` input cells it takes: first and number, and the cells of padding before and after.
    fn cells(&self, size: usize) -> [usize; 4] {
        let outside = |cells: isize| usize::try_from(cells).unwrap_or(0);
        let (before, after) = (outside(-self.first), outside(self.last + 1 - size as isize));
        let start = outside(self.first);
        let end = outside(self.last + 1).min(size);
        [start, end - start, before, after]
    }

    /// Number of cells of the window; one with weight 0 where there is none.
    fn window(&self) -> usize {
        self.taps.len().max(1)
    }
}

fn dimensions(operation: OperationRef<'_, '_>, size: [usize; 2]) -> Result<[Dimension; 2], String> {
    let window = TransposedWindow::of(operation)?;
    let pair = |values: &[u64], filler: usize| match *values {
        [width] => Ok([filler, width as usize]),
        [height, width] => Ok([height as usize, width as usize]),
        _ => Err(format!("it has {} spatial dimensions; the BPU has windows over one or two", values.len())),
    };
    let (kernel, strides) = (pair(&window.kernel, 1)?, pair(&window.strides, 1)?);
    let (dilations, begin) = (pair(&window.dilations, 1)?, pair(&window.pads_begin, 0)?);
    let output = pair(&window.output, 1)?;
    if strides.iter().product::<usize>() > MOST_PHASES {
        return Err(format!("its strides {strides:?} make more than {MOST_PHASES} phases"));
    }
    Ok([0, 1].map(|i| Dimension {
        size: size[i],
        kernel: kernel[i],
        stride: strides[i],
        dilation: dilations[i],
        begin: begin[i],
        output: output[i],
    }))
}

/// Strides are small numbers; each phase is a convolution.
const MOST_PHASES: usize = 256;

/// Weights `[C, M/group, height, width]`, by output channel.
struct Filters {
    weight: QuantizedConstant,
    bias: Option<QuantizedConstant>,
    group: usize,
}

impl Filters {
    fn sizes(&self) -> Result<[usize; 4], String> {
        <[usize; 4]>::try_from(self.weight.shape.as_slice()).map_err(|_| "its weight has no height and width".into())
    }

    /// The weights of phases side by side as OHWI, output channels of the first phase first.
    fn of_phases(&self, row: &Phase, columns: &[Phase]) -> Result<QuantizedConstant, String> {
        let [channels, each, height, width] = self.sizes()?;
        let depth = channels / self.group;
        let known = self.weight.integers.as_deref().unwrap_or_default();
        let at = |channel: usize, map: usize, tap: [Option<&usize>; 2]| match tap {
            [Some(&y), Some(&x)] => {
                let position = ((channel * each + map) * height + y) * width + x;
                known.get(position).copied().unwrap_or(0)
            }
            _ => 0,
        };
        let mut integers = Vec::new();
        for column in columns.iter().filter(|_| !known.is_empty()) {
            for map in 0..each * self.group {
                let first = map / each * depth;
                for y in 0..row.window() {
                    for x in 0..column.window() {
                        let tap = [row.taps.get(y), column.taps.get(x)];
                        integers.extend((first..first + depth).map(|channel| at(channel, map % each, tap)));
                    }
                }
            }
        }
        let integers = self.weight.integers.as_ref().map(|_| integers);
        let scale = match &self.weight.scale {
            Scale::PerTensor(affine) => Scale::PerTensor(*affine),
            Scale::PerAxis { scales, .. } => {
                let maps = each * self.group * columns.len();
                Scale::PerAxis { axis: 0, scales: scales.repeat(maps / scales.len().max(1)) }
            }
        };
        let window = columns.first().map_or(1, Phase::window);
        let shape = vec![columns.len() * each * self.group, row.window(), window, depth];
        Ok(QuantizedConstant { element: self.weight.element, shape, scale, integers })
    }

    fn bias_of_phases(&self, count: usize) -> Option<QuantizedConstant> {
        self.bias.as_ref().map(|bias| {
            let integers = bias.integers.as_ref().map(|integers| integers.repeat(count));
            let shape = vec![bias.shape.iter().product::<usize>() * count];
            QuantizedConstant { element: bias.element, shape, scale: bias.scale.clone(), integers }
        })
    }
}

/// What the phases share.
struct Lowering<'v, 'c, 'a> {
    input: TensorId,
    input_worth: Worth,
    dimensions: [Dimension; 2],
    filters: Filters,
    clamp: Option<Clamp>,
    output: &'v QuantizedValue<'c, 'a>,
}

impl<'c, 'a> Lowering<'_, 'c, 'a> {
    /// `[N, rows, columns, phases * M]`: the outputs of one phase of rows and of phases of columns with one geometry.
    fn convolution(
        &self,
        builder: &mut Builder<'c, 'a>,
        part: &str,
        row: &Phase,
        columns: &[Phase],
    ) -> Result<TensorId, String> {
        let [height, width] = self.dimensions;
        let column = columns.first().ok_or("it has no phases")?;
        let [top, rows, before_rows, after_rows] = row.cells(height.size);
        let [left, cells, before, after] = column.cells(width.size);
        let shape = builder.shape(self.input);
        let (batch, channels) = (shape.first().copied().unwrap_or(1), shape.last().copied().unwrap_or(1));
        let mut input = self.input;
        if [rows, cells] != [height.size, width.size] {
            let sizes = vec![batch, rows, cells, channels];
            let operator = Operator::Slice { starts: vec![0, top, left, 0], steps: vec![1; 4], sizes: sizes.clone() };
            input = builder.compute("input", operator, &[input], sizes, self.input_worth);
        }
        let weight = builder.constant("weight", &self.filters.of_phases(row, columns)?);
        let mut inputs = vec![input, weight];
        if let Some(bias) = self.filters.bias_of_phases(columns.len()) {
            inputs.push(builder.constant("bias", &bias));
        }
        let operator = Operator::Convolution(Convolution {
            strides: [1, 1],
            pads: [before_rows, before, after_rows, after],
            dilations: [row.dilation, column.dilation],
            group: self.filters.group,
            clamp: self.clamp,
        });
        let [_, each, ..] = self.filters.sizes()?;
        let maps = columns.len() * each * self.filters.group;
        let shape = vec![batch, height.count(), width.count(), maps];
        Ok(builder.compute(part, operator, &inputs, shape, self.output.worth))
    }

    /// `[N, rows, columns, stride * M]`: one phase of rows, with all columns.
    fn row(&self, builder: &mut Builder<'c, 'a>, number: usize) -> Result<TensorId, String> {
        let [height, width] = self.dimensions;
        let row = height.phase(number);
        let columns: Vec<Phase> = (0..width.stride).map(|number| width.phase(number)).collect();
        let geometry = |phase: &Phase| (phase.taps.len(), phase.dilation, phase.first, phase.last);
        let alike = columns.windows(2).all(|pair| geometry(&pair[0]) == geometry(&pair[1]));
        let single = height.stride * width.stride == 1;
        let part = |column: Option<usize>| match column {
            _ if single => ITSELF.to_owned(),
            Some(column) => format!("phase_{number}_{column}"),
            None => format!("phase_{number}"),
        };
        // The channels of phases of one geometry stand side by side, which interleaves them; groups keep theirs apart.
        if alike && (self.filters.group == 1 || columns.len() == 1) {
            return self.convolution(builder, &part(None), &row, &columns);
        }
        let mut parts = Vec::new();
        for (column, phase) in columns.iter().enumerate() {
            parts.push(self.convolution(builder, &part(Some(column)), &row, std::slice::from_ref(phase))?);
        }
        self.concat(builder, &format!("columns_{number}"), &parts, 3)
    }

    fn concat(
        &self,
        builder: &mut Builder<'c, 'a>,
        part: &str,
        parts: &[TensorId],
        axis: usize,
    ) -> Result<TensorId, String> {
        let mut shape = builder.shape(*parts.first().ok_or("it has no phases")?);
        if let Some(size) = shape.get_mut(axis) {
            *size *= parts.len();
        }
        Ok(builder.compute(part, Operator::Concat { axis }, parts, shape, self.output.worth))
    }

    /// All rows and columns in their order; those behind the end of the result are cut off.
    fn interleave(&self, builder: &mut Builder<'c, 'a>, rows: &[TensorId]) -> Result<TensorId, String> {
        let [height, width] = self.dimensions;
        let scale = self.output.worth.scale();
        let shape = channels_last(&self.output.shape)?;
        let [batch, _, _, maps] = <[usize; 4]>::try_from(shape.as_slice()).map_err(|_| "its result is no image")?;
        let whole = [batch, height.count() * height.stride, width.count() * width.stride, maps];
        let id = match rows {
            [single] => *single,
            _ => {
                let flat = [batch, height.count(), 1, whole[2] * maps];
                let rows: Vec<TensorId> = rows.iter().map(|&row| builder.reshape(row, &flat, &scale)).collect();
                self.concat(builder, "rows", &rows, 2)?
            }
        };
        let id = builder.reshape(id, &whole, &scale);
        if whole.as_slice() == shape {
            return Ok(id);
        }
        let operator = Operator::Slice { starts: vec![0; 4], steps: vec![1; 4], sizes: shape.clone() };
        Ok(builder.compute("slice", operator, &[id], shape, self.output.worth))
    }
}

pub fn conv_transpose<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let output = builder.result(operation)?;
    let input_worth = activation(builder, operation, 0)?.worth;
    let mut weight = constant(builder, operation, 1)?;
    if let &[channels, each, width] = weight.shape.as_slice() {
        weight.shape = vec![channels, each, 1, width];
    }
    let bias = if operation.operand_count() > 2 { Some(constant(builder, operation, 2)?) } else { None };
    let group = attributes::group(operation).map_err(|error| error.to_string())?;
    let group = usize::try_from(group).ok().filter(|&group| group > 0).ok_or("its group is not positive")?;
    let (_, input, size) = image(builder, operation)?;
    let lowering = Lowering {
        input,
        input_worth,
        dimensions: dimensions(operation, size)?,
        filters: Filters { weight, bias, group },
        clamp: clamp_of(attributes::activation(operation).map_err(|error| error.to_string())?, output.worth),
        output: &output,
    };
    let mut rows = Vec::new();
    for number in 0..lowering.dimensions[0].stride {
        rows.push(lowering.row(builder, number)?);
    }
    let id = lowering.interleave(builder, &rows)?;
    builder.define(&output, ValueForm::ChannelsLast, id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stride 2, kernel 4, padding 1: even outputs meet inputs q - 1 and q at the cells 3 and 1, odd ones q and q + 1 at 2 and 0.
    #[test]
    fn phases_on_paper() {
        let dimension = Dimension { size: 5, kernel: 4, stride: 2, dilation: 1, begin: 1, output: 10 };
        let even = dimension.phase(0);
        assert_eq!((even.taps.as_slice(), even.dilation, even.first, even.last), (&[3, 1][..], 1, -1, 4));
        assert_eq!(even.cells(5), [0, 5, 1, 0]);
        let odd = dimension.phase(1);
        assert_eq!((odd.taps.as_slice(), odd.first, odd.last), (&[2, 0][..], 0, 5));
        assert_eq!(odd.cells(5), [0, 5, 0, 1]);
    }

    /// A kernel of one cell at stride 2: odd outputs have only the bias. Dilation 2 at stride 3: inputs 2 apart.
    #[test]
    fn phases_without_cells_and_with_dilation() {
        let dimension = Dimension { size: 3, kernel: 1, stride: 2, dilation: 1, begin: 0, output: 5 };
        assert!(dimension.phase(1).taps.is_empty());
        let dimension = Dimension { size: 9, kernel: 4, stride: 3, dilation: 2, begin: 0, output: 31 };
        let phase = dimension.phase(0);
        assert_eq!((phase.taps.as_slice(), phase.dilation, phase.first), (&[3, 0][..], 2, -2));
    }
}
