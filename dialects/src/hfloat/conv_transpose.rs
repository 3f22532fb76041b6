//! Transposed convolution.

use super::attributes;
use super::{elementwise::check_activation, operands::*, window::Attributes};
use crate::ir::{OperationAttributes, TensorType};
use melior::ir::{OperationRef, operation::OperationLike};

/// How the elements of the input spread over the result: element `i` of a spatial dimension reaches the elements
/// `i * stride - pad_begin + k * dilation`, as far as they lie in the result.
#[derive(Debug, Clone, PartialEq)]
pub struct TransposedWindow {
    /// Cells of the kernel in each spatial dimension.
    pub kernel: Vec<u64>,
    /// Cells of the result from where one element of the input reaches to where the next does.
    pub strides: Vec<u64>,
    /// Cells from one cell of the kernel to the next.
    pub dilations: Vec<u64>,
    /// Cells cut off before the first element of each dimension of the result.
    pub pads_begin: Vec<u64>,
    /// Spatial sizes of the result.
    pub output: Vec<u64>,
}

impl TransposedWindow {
    /// The window of an `hfloat.conv_transpose` whose input has a known shape, or bounds of it.
    ///
    /// # Errors
    /// When its attributes do not fit its rank, or nothing is left of a dimension.
    pub fn of(operation: OperationRef<'_, '_>) -> Result<Self, String> {
        let sizes = |index| bound_shape(&operand_type(operation, index)?);
        let (shape, weight) = (sizes(0)?, sizes(1)?);
        let spread = Spread::of(operation, weight.len().saturating_sub(2))?;
        let mut window = Self {
            kernel: weight.iter().skip(2).map(|&size| size as u64).collect(),
            strides: spread.window.strides.clone(),
            dilations: spread.window.dilations.clone(),
            pads_begin: Vec::new(),
            output: Vec::new(),
        };
        for (i, (&size, &kernel)) in shape.iter().skip(2).zip(&window.kernel).enumerate() {
            let (begin, output) = spread.resolve(i, size as u64, kernel)?;
            window.pads_begin.push(begin);
            window.output.push(output);
        }
        Ok(window)
    }
}

/// The attributes, checked against the number of spatial dimensions.
struct Spread {
    window: Attributes,
    output_padding: Vec<u64>,
    output_shape: Option<Vec<u64>>,
}

impl Spread {
    fn of(operation: OperationRef<'_, '_>, spatial: usize) -> Result<Self, String> {
        let sizes = |name: &str| {
            let values = operation.integers(name).map_err(|error| error.to_string())?;
            if values.len() != spatial {
                return Err(format!("expects {spatial} {name}, got {}", values.len()));
            }
            let sizes = values.iter().map(|&value| u64::try_from(value).ok()).collect::<Option<Vec<_>>>();
            sizes.ok_or(format!("has {name} {values:?}; they must not be negative"))
        };
        let given = operation.attribute("output_shape").is_ok();
        Ok(Self {
            window: Attributes::of(operation, spatial)?,
            output_padding: sizes("output_padding")?,
            output_shape: given.then(|| sizes("output_shape")).transpose()?,
        })
    }

    /// Padding before, and the output size in spatial dimension `i`.
    fn resolve(&self, i: usize, size: u64, kernel: u64) -> Result<(u64, u64), String> {
        let Attributes { strides, dilations, pads, auto_pad, .. } = &self.window;
        let too_large = || format!("has a result that is too large in spatial dimension {i}");
        let last = size.checked_sub(1).ok_or_else(|| format!("has an empty input in spatial dimension {i}"))?;
        let reach = kernel.checked_sub(1).ok_or("has an empty kernel")?.checked_mul(dilations[i]);
        let full = last
            .checked_mul(strides[i])
            .zip(reach)
            .and_then(|(first, reach)| first.checked_add(reach)?.checked_add(1)?.checked_add(self.output_padding[i]))
            .filter(|&full| full <= 1 << 40)
            .ok_or_else(too_large)?;
        // An odd cell is cut off at the end with SAME_UPPER, else at the begin.
        let begin_of = |total: u64| if *auto_pad == "SAME_UPPER" { total / 2 } else { total - total / 2 };
        if let Some(output) = &self.output_shape {
            return Ok((begin_of(full.saturating_sub(output[i])), output[i]));
        }
        let (begin, end) = match *auto_pad {
            "VALID" => (0, 0),
            "NOTSET" => (pads[i], pads[i + strides.len()]),
            _ => {
                let total = full.saturating_sub(size.checked_mul(strides[i]).ok_or_else(too_large)?);
                (begin_of(total), total - begin_of(total))
            }
        };
        let output = full.checked_sub(begin).and_then(|rest| rest.checked_sub(end)).filter(|&output| output > 0);
        let output =
            output.ok_or_else(|| format!("cuts {begin} and {end} cells off {full} in spatial dimension {i}"))?;
        Ok((begin, output))
    }
}

pub(super) fn conv_transpose(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, weight) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&input, &weight, "input and weight")?;
    check_activation(operation, &input.element)?;
    let group = attributes::group(operation).map_err(|error| error.to_string())?;
    let group = u64::try_from(group).ok().filter(|&group| group > 0).ok_or(format!("has group {group}"))?;
    let Some(weight_sizes) = weight.dimensions.as_deref() else { return one(input.element, None) };
    let &[depth, each, ref kernel @ ..] = weight_sizes else {
        return Err(format!("has a weight of rank {}; it needs at least 3", weight_sizes.len()));
    };
    if kernel.is_empty() {
        return Err("has a weight of rank 2; it needs at least 3".into());
    }
    let spread = Spread::of(operation, kernel.len())?;
    if let Some(depth) = depth.filter(|depth| depth % group != 0) {
        return Err(format!("has a weight for {depth} input channels, which {group} groups do not divide"));
    }
    let filters = each.map(|each| each.checked_mul(group).ok_or("has too many output channels")).transpose()?;
    if let Some(bias) = optional_operand_type(operation, 2)? {
        same_element(&input, &bias, "input and bias")?;
        match (bias.dimensions.as_deref(), filters) {
            (Some(&[Some(size)]), Some(filters)) if size != filters => {
                return Err(format!("has {filters} output channels, but a bias of {size} elements"));
            }
            (Some(&[_]) | None, _) => {}
            _ => return Err("has a bias that is not one-dimensional".into()),
        }
    }
    let Some(sizes) = input.dimensions.as_deref() else {
        return one(input.element, Some([vec![None, filters], vec![None; kernel.len()]].concat()));
    };
    if sizes.len() != weight_sizes.len() {
        return Err(format!("has an input of rank {} and a weight of rank {}", sizes.len(), weight_sizes.len()));
    }
    if let (Some(channels), Some(depth)) = (sizes[1], depth)
        && channels != depth
    {
        return Err(format!("has {channels} input channels, but a weight for {depth}"));
    }
    let mut result = vec![sizes[0], filters];
    for (i, (size, kernel)) in sizes[2..].iter().zip(kernel).enumerate() {
        result.push(match (size, kernel) {
            (Some(size), Some(kernel)) => Some(spread.resolve(i, *size, *kernel)?.1),
            _ => spread.output_shape.as_ref().map(|output| output[i]),
        });
    }
    one(input.element, Some(result))
}
