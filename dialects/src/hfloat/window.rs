//! Operations that slide a window: convolution and pooling.

use super::{Op, attributes};
use super::{elementwise::check_activation, operands::*};
use crate::ElementType;
use crate::ir::{OperationAttributes, TensorType};
use melior::ir::OperationRef;

/// A window over the spatial dimensions with its padding resolved to numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct SlidingWindow {
    /// Cells of the kernel in each spatial dimension.
    pub kernel: Vec<u64>,
    /// Cells from one window to the next.
    pub strides: Vec<u64>,
    /// Cells from one cell of the kernel to the next.
    pub dilations: Vec<u64>,
    /// Cells before the first element of each dimension.
    pub pads_begin: Vec<u64>,
    /// Cells after the last element that a window reaches, as ONNX gives them; `ceil_mode` may reach further.
    pub pads_end: Vec<u64>,
    /// Spatial sizes of the result.
    pub output: Vec<u64>,
}

impl SlidingWindow {
    /// The window of a convolution or pooling operation whose input has a known shape, or bounds of it.
    ///
    /// # Errors
    /// When the operation is none, its attributes do not fit its rank, or the window does not fit the padded input.
    pub fn of(operation: OperationRef<'_, '_>) -> Result<Self, String> {
        let input = operand_type(operation, 0)?;
        let shape = bound_shape(&input)?;
        let kernel = if Op::Conv.is(operation) {
            let weight = operand_type(operation, 1)?.static_shape().map_err(|error| error.to_string())?;
            weight.iter().skip(2).map(|&size| size as u64).collect()
        } else {
            positive(operation, "kernel_shape", shape.len().saturating_sub(2))?
        };
        if shape.len() != kernel.len() + 2 {
            return Err(format!("has an input of rank {} and a window of rank {}", shape.len(), kernel.len()));
        }
        let attributes = Attributes::of(operation, kernel.len())?;
        let mut window = Self {
            strides: attributes.strides.clone(),
            dilations: attributes.dilations.clone(),
            kernel,
            pads_begin: Vec::new(),
            pads_end: Vec::new(),
            output: Vec::new(),
        };
        for (i, &size) in shape[2..].iter().enumerate() {
            let (begin, end, output) = attributes.resolve(i, size as u64, window.kernel[i])?;
            window.pads_begin.push(begin);
            window.pads_end.push(end);
            window.output.push(output);
        }
        Ok(window)
    }
}

/// The attributes that convolution and pooling share, checked against the number of spatial dimensions.
pub(super) struct Attributes {
    pub(super) strides: Vec<u64>,
    pub(super) dilations: Vec<u64>,
    pub(super) pads: Vec<u64>,
    pub(super) auto_pad: &'static str,
    ceil_mode: bool,
}

fn positive(operation: OperationRef<'_, '_>, name: &str, count: usize) -> Result<Vec<u64>, String> {
    let values = operation.integers(name).map_err(|error| error.to_string())?;
    if values.len() != count {
        return Err(format!("expects {count} {name}, got {}", values.len()));
    }
    values
        .iter()
        .map(|&value| {
            u64::try_from(value)
                .ok()
                .filter(|&value| value > 0)
                .ok_or(format!("has {name} {values:?}; they must be positive"))
        })
        .collect()
}

impl Attributes {
    pub(super) fn of(operation: OperationRef<'_, '_>, spatial: usize) -> Result<Self, String> {
        let pads = attributes::pads(operation).map_err(|error| error.to_string())?;
        if pads.len() != 2 * spatial {
            return Err(format!("expects {} pads, got {}", 2 * spatial, pads.len()));
        }
        let negative = || format!("has pads {pads:?}; they must not be negative");
        Ok(Self {
            strides: positive(operation, "strides", spatial)?,
            dilations: positive(operation, "dilations", spatial)?,
            pads: pads.iter().map(|&pad| u64::try_from(pad).map_err(|_| negative())).collect::<Result<_, _>>()?,
            auto_pad: attributes::auto_pad(operation).map_err(|error| error.to_string())?,
            // Only poolings have it.
            ceil_mode: Op::of(operation).is_some_and(|op| op.definition().attribute("ceil_mode").is_some())
                && attributes::ceil_mode(operation).map_err(|error| error.to_string())?,
        })
    }

    /// Padding before, padding after, and the output size in spatial dimension `i`.
    fn resolve(&self, i: usize, size: u64, kernel: u64) -> Result<(u64, u64, u64), String> {
        let (stride, dilation) = (self.strides[i], self.dilations[i]);
        let too_large = || format!("has a window that is too large in spatial dimension {i}");
        let reach = (kernel.checked_sub(1).ok_or("has an empty kernel")?)
            .checked_mul(dilation)
            .and_then(|reach| reach.checked_add(1))
            .ok_or_else(too_large)?;
        if self.auto_pad.starts_with("SAME") {
            let output = size.div_ceil(stride);
            let needed = output
                .saturating_sub(1)
                .checked_mul(stride)
                .and_then(|last| last.checked_add(reach))
                .ok_or_else(too_large)?;
            let total = needed.saturating_sub(size);
            let small = total / 2;
            let (begin, end) =
                if self.auto_pad == "SAME_UPPER" { (small, total - small) } else { (total - small, small) };
            return Ok((begin, end, output));
        }
        let (begin, end) =
            if self.auto_pad == "VALID" { (0, 0) } else { (self.pads[i], self.pads[i + self.strides.len()]) };
        let padded = size.checked_add(begin).and_then(|sum| sum.checked_add(end)).ok_or_else(too_large)?;
        // Rounded up, a window may reach beyond the padded input by less than a step.
        let beyond = if self.ceil_mode { stride - 1 } else { 0 };
        if reach.saturating_sub(padded) > beyond {
            return Err(format!(
                "has a window of {reach} cells over a padded input of {padded} in spatial dimension {i}"
            ));
        }
        let room = padded.saturating_sub(reach);
        let mut output = if self.ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
        // A window that would start in the padding after the input is left out, as onnxruntime does.
        if self.ceil_mode && (output - 1) * stride >= size + begin {
            output -= 1;
        }
        Ok((begin, end, output))
    }
}

/// Windows that are looked at one by one; a few bytes of a file can ask for any number.
const MOST_WINDOWS: u64 = 1 << 22;

impl Attributes {
    /// Whether each window in spatial dimension `i` has a cell inside of the input.
    fn all_hold_elements(&self, i: usize, size: u64, kernel: u64) -> Result<bool, String> {
        let (stride, dilation) = (self.strides[i], self.dilations[i]);
        let (begin, _, output) = self.resolve(i, size, kernel)?;
        // Windows that begin behind the padding.
        let last = output.saturating_sub(1).saturating_mul(stride);
        if output > 0 && last >= size.saturating_add(begin) {
            return Ok(false);
        }
        // Those before must reach it; their steps may be larger than the input.
        let before = begin.div_ceil(stride).min(output);
        if before == 0 {
            return Ok(true);
        }
        if begin.div_ceil(dilation) >= kernel {
            return Ok(false);
        }
        if dilation <= size {
            return Ok(true);
        }
        if before > MOST_WINDOWS {
            return Err(format!("has {before} windows that begin in the padding; at most {MOST_WINDOWS} may"));
        }
        Ok((0..before).all(|window| {
            let missing = begin - window * stride;
            missing.div_ceil(dilation) * dilation - missing < size
        }))
    }
}

/// The spatial sizes of the result, unknown where the input's are.
fn spatial_output(
    operation: OperationRef<'_, '_>,
    input: &[Option<u64>],
    kernel: &[Option<u64>],
) -> Result<Vec<Option<u64>>, String> {
    let attributes = Attributes::of(operation, kernel.len())?;
    input
        .iter()
        .zip(kernel)
        .enumerate()
        .map(|(i, (size, kernel))| match (size, kernel) {
            (Some(size), Some(kernel)) => attributes.resolve(i, *size, *kernel).map(|(_, _, output)| Some(output)),
            _ => Ok(None),
        })
        .collect()
}

pub(super) fn conv(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (input, weight) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    same_element(&input, &weight, "input and weight")?;
    check_activation(operation, &input.element)?;
    let group = attributes::group(operation).map_err(|error| error.to_string())?;
    let group = u64::try_from(group).ok().filter(|&group| group > 0).ok_or(format!("has group {group}"))?;
    let Some(weight_sizes) = weight.dimensions.as_deref() else { return one(input.element, None) };
    if weight_sizes.len() < 3 {
        return Err(format!("has a weight of rank {}; it needs at least 3", weight_sizes.len()));
    }
    let filters = weight_sizes[0];
    if let Some(filters) = filters.filter(|filters| filters % group != 0) {
        return Err(format!("has {filters} output channels, which {group} groups do not divide"));
    }
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
        Attributes::of(operation, weight_sizes.len() - 2)?;
        return one(input.element, Some([vec![None, filters], vec![None; weight_sizes.len() - 2]].concat()));
    };
    if sizes.len() != weight_sizes.len() {
        return Err(format!("has an input of rank {} and a weight of rank {}", sizes.len(), weight_sizes.len()));
    }
    if let (Some(channels), Some(depth)) = (sizes[1], weight_sizes[1])
        && depth.checked_mul(group) != Some(channels)
    {
        return Err(format!("has {channels} input channels, but its weight takes {depth} in each of {group} groups"));
    }
    let spatial = spatial_output(operation, &sizes[2..], &weight_sizes[2..])?;
    one(input.element, Some([vec![sizes[0], filters], spatial].concat()))
}

pub(super) fn pool(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(sizes) = input.dimensions.as_deref() else { return one(input.element, None) };
    if sizes.len() < 3 {
        return Err(format!("has an input of rank {}; it needs at least 3", sizes.len()));
    }
    let kernel: Vec<_> = positive(operation, "kernel_shape", sizes.len() - 2)?.into_iter().map(Some).collect();
    let spatial = spatial_output(operation, &sizes[2..], &kernel)?;
    one(input.element.clone(), Some([sizes[..2].to_vec(), spatial].concat()))
}

/// The positions of what [`pool`] gives. Padding has none, so each window must hold an element.
pub(super) fn pool_indices(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let mut types = pool(operation)?;
    types.iter_mut().for_each(|indices| indices.element = ElementType::I64.into());
    let sizes = operand_type(operation, 0)?.dimensions;
    let spatial = sizes.as_deref().and_then(|sizes| sizes.get(2..)).unwrap_or_default();
    let kernel = positive(operation, "kernel_shape", spatial.len())?;
    let attributes = Attributes::of(operation, spatial.len())?;
    for (i, (size, kernel)) in spatial.iter().zip(kernel).enumerate() {
        if let Some(size) = size
            && !attributes.all_hold_elements(i, *size, kernel)?
        {
            return Err(format!("has a window in spatial dimension {i} that holds padding only, which has no index"));
        }
    }
    Ok(types)
}

pub(super) fn global_pool(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let Some(sizes) = input.dimensions else { return one(input.element, None) };
    if sizes.len() < 3 {
        return Err(format!("has an input of rank {}; it needs at least 3", sizes.len()));
    }
    let result = sizes.iter().enumerate().map(|(i, &size)| if i < 2 { size } else { Some(1) }).collect();
    one(input.element, Some(result))
}
