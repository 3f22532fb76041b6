//! Resizing: sizes and positions of ONNX Resize-19.

use super::{
    attributes,
    layout::normalize_axis,
    operands::*,
    resize_samples::{Coordinates, ResizeKernel, Sample, samples},
};
use crate::ElementType;
use crate::ir::{Constant, IrError, OperationAttributes, TensorType, constant_of};
use melior::ir::{OperationRef, operation::OperationLike};

/// Positions are computed one by one: far above every network, low enough to visit each one.
const LARGEST_DIMENSION: u64 = 1 << 24;

/// A length that is not whole by less than this share of it is one that was: scales are quotients that were rounded to f32.
const FRACTION_BY_ROUNDING: f32 = 1e-5;

/// What a resize takes of its input, dimension by dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// The dimensions that change, in order.
    pub axes: Vec<ResizedAxis>,
    /// The value of results whose position lies outside of the input (`tf_crop_and_resize`).
    pub extrapolation_value: f64,
}

/// One dimension of a resize.
#[derive(Debug, Clone, PartialEq)]
pub struct ResizedAxis {
    /// Which one.
    pub axis: usize,
    /// The size of the input.
    pub size: usize,
    /// Of what each element of the result is made.
    pub samples: Vec<Sample>,
}

impl Resize {
    /// The samples of an `hfloat.resize` whose input has a static shape.
    ///
    /// # Errors
    /// When its operands do not fit, or are no constants.
    pub fn of(operation: OperationRef<'_, '_>) -> Result<Self, String> {
        let form = Form::of(operation)?;
        let shape = operand_type(operation, 0)?.static_shape().map_err(|error| error.to_string())?;
        let sizes: Vec<_> = shape.iter().map(|&size| Some(size as u64)).collect();
        let targets = form.targets(&sizes)?.ok_or("its scales and sizes are not known when the network is compiled")?;
        let region = form.region(operation, shape.len())?;
        let mut axes = Vec::new();
        for (axis, (target, &size)) in targets.iter().zip(&shape).enumerate() {
            let Target::Resized { size: output, scale } = *target else { continue };
            if output > LARGEST_DIMENSION {
                return Err(format!("resizes dimension {axis} to {output}; at most {LARGEST_DIMENSION} are possible"));
            }
            let coordinates = Coordinates { mode: form.coordinates, scale, size, output, region: region[axis] };
            axes.push(ResizedAxis { axis, size, samples: samples(&coordinates, &form.kernel) });
        }
        Ok(Self { axes, extrapolation_value: form.extrapolation_value })
    }
}

/// What becomes of a dimension.
#[derive(Clone, Copy)]
enum Target {
    Kept,
    /// Its new size, and by what its positions are divided.
    Resized {
        size: u64,
        scale: f32,
    },
}

/// Attributes and constant operands.
struct Form {
    coordinates: &'static str,
    kernel: ResizeKernel,
    policy: &'static str,
    axes: Option<Vec<i64>>,
    extrapolation_value: f64,
    scales: Option<Vec<f32>>,
    /// Whether sizes are asked for, and which.
    sizes: Option<Option<Vec<i64>>>,
}

/// The numbers of operand `index`, when it is a constant.
fn constant_floats(operation: OperationRef<'_, '_>, index: usize) -> Result<Option<Vec<f32>>, String> {
    let value = operation.operand_at(index).map_err(|error| error.to_string())?;
    let owned = |constant: Constant<'_>| Ok(constant.f32s().map_err(|error| error.to_string())?.into_owned());
    constant_of(value).map(owned).transpose()
}

fn is_empty(r#type: &TensorType) -> bool {
    r#type.elements() == Some(0)
}

impl Form {
    fn of(operation: OperationRef<'_, '_>) -> Result<Self, String> {
        let text = |error: IrError| error.to_string();
        let with_sizes = operation.operand_count() > 3 && !is_empty(&operand_type(operation, 3)?);
        if with_sizes != is_empty(&operand_type(operation, 2)?) {
            return Err("needs either scales or sizes".into());
        }
        for index in [1, 2, 3] {
            let vector = optional_operand_type(operation, index)?.and_then(|r#type| r#type.dimensions);
            if vector.is_some_and(|dimensions| dimensions.len() != 1) {
                return Err(format!("has an operand {index} that is not one-dimensional"));
            }
        }
        Ok(Self {
            coordinates: attributes::coordinate_transformation_mode(operation).map_err(text)?,
            kernel: ResizeKernel {
                mode: attributes::mode(operation).map_err(text)?,
                nearest: attributes::nearest_mode(operation).map_err(text)?,
                cubic: attributes::cubic_coeff_a(operation).map_err(text)?,
                exclude_outside: attributes::exclude_outside(operation).map_err(text)?,
                antialias: attributes::antialias(operation).map_err(text)?,
            },
            policy: attributes::keep_aspect_ratio_policy(operation).map_err(text)?,
            axes: attributes::axes(operation).map_err(text)?,
            extrapolation_value: attributes::extrapolation_value(operation).map_err(text)?,
            scales: if with_sizes { None } else { constant_floats(operation, 2)? },
            sizes: if with_sizes { Some(constant_integers(operation, 3)?) } else { None },
        })
    }

    fn positions(&self, rank: usize) -> Result<Vec<usize>, String> {
        let Some(axes) = &self.axes else { return Ok((0..rank).collect()) };
        let positions = axes.iter().map(|&axis| normalize_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        match positions.iter().enumerate().find(|(i, position)| positions[..*i].contains(position)) {
            Some((_, position)) => Err(format!("names axis {position} twice")),
            None => Ok(positions),
        }
    }

    /// What becomes of every dimension; `None` when that is not known.
    fn targets(&self, sizes: &[Option<u64>]) -> Result<Option<Vec<Target>>, String> {
        let axes = self.positions(sizes.len())?;
        let known = match (&self.scales, &self.sizes) {
            (Some(scales), _) => scales.len(),
            (None, Some(Some(sizes))) => sizes.len(),
            _ => return Ok(None),
        };
        if known != axes.len() {
            return Err(format!("has {known} scales or sizes for {} axes", axes.len()));
        }
        let Some(inputs) = axes.iter().map(|&axis| sizes[axis]).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut targets = vec![Target::Kept; sizes.len()];
        for (&axis, target) in axes.iter().zip(self.resized(&inputs)?) {
            targets[axis] = target;
        }
        Ok(Some(targets))
    }

    /// What becomes of dimensions of these sizes. Sizes and scales are f32 arithmetic, as in onnxruntime.
    fn resized(&self, inputs: &[u64]) -> Result<Vec<Target>, String> {
        let target = |size: u64, input: u64, scale: f32| match scale {
            1.0 if size == input => Target::Kept,
            _ => Target::Resized { size, scale },
        };
        if let Some(scales) = &self.scales {
            if let Some(scale) = scales.iter().find(|scale| !scale.is_normal() || **scale < 0.0) {
                return Err(format!("has the scale {scale}, which is not positive"));
            }
            return inputs
                .iter()
                .zip(scales)
                .map(|(&input, &scale)| match (scale * input as f32) as u64 {
                    0 if input > 0 => Err(format!("leaves nothing of a dimension of {input} at the scale {scale}")),
                    size => self.has_ends(input, scale, size).map(|()| target(size, input, scale)),
                })
                .collect();
        }
        let sizes = self.sizes.clone().flatten().unwrap_or_default();
        if sizes.iter().any(|&size| size <= 0) || inputs.contains(&0) {
            return Err(format!("resizes dimensions of {inputs:?} to {sizes:?}; all must be positive"));
        }
        let ratios = sizes.iter().zip(inputs).map(|(&size, &input)| size as f32 / input as f32);
        let common = match self.policy {
            "stretch" => None,
            "not_larger" => ratios.clone().reduce(f32::min),
            _ => ratios.clone().reduce(f32::max),
        };
        let one = |((&size, &input), ratio): ((&i64, &u64), f32)| match common {
            None => target(size as u64, input, ratio),
            Some(common) => target((common * input as f32).round() as u64, input, common),
        };
        Ok(sizes.iter().zip(inputs).zip(ratios).map(one).collect())
    }

    /// Where positions are counted from end to end, the end of `input * scale` elements that are no whole number lies in two places: ONNX's own
    /// results are those of the fraction, onnxruntime's and PyTorch's those of the elements that there are.
    fn has_ends(&self, input: u64, scale: f32, size: u64) -> Result<(), String> {
        let length = scale * input as f32;
        let is_whole = (length - size as f32) <= FRACTION_BY_ROUNDING * length;
        if !matches!(self.coordinates, "align_corners" | "tf_crop_and_resize") || is_whole || input <= 1 || size <= 1 {
            return Ok(());
        }
        let mode = self.coordinates;
        Err(format!(
            "makes {length} elements of {input} with '{mode}', where ONNX and onnxruntime differ about a fraction; \
             give sizes in place of scales: {size} in place of {scale} is what onnxruntime and PyTorch compute"
        ))
    }

    /// The region of interest of every dimension, as fractions of it.
    fn region(&self, operation: OperationRef<'_, '_>, rank: usize) -> Result<Vec<[f32; 2]>, String> {
        let mut region = vec![[0.0, 1.0]; rank];
        if self.coordinates != "tf_crop_and_resize" {
            return Ok(region);
        }
        let axes = self.positions(rank)?;
        let given = constant_floats(operation, 1)?.ok_or("its roi is not known when the network is compiled")?;
        if given.len() != 2 * axes.len() {
            return Err(format!(
                "has a roi of {} numbers for {} axes; it needs twice as many",
                given.len(),
                axes.len()
            ));
        }
        for (i, &axis) in axes.iter().enumerate() {
            region[axis] = [given[i], given[i + axes.len()]];
        }
        Ok(region)
    }
}

pub(super) fn resize(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let input = operand_type(operation, 0)?;
    let form = Form::of(operation)?;
    if form.coordinates == "tf_crop_and_resize" && operand_type(operation, 1)?.element != ElementType::F32 {
        return Err("has a roi that is not f32".into());
    }
    let Some(sizes) = input.dimensions else { return one(input.element, None) };
    let result = match form.targets(&sizes)? {
        None => {
            let axes = form.positions(sizes.len())?;
            sizes.iter().enumerate().map(|(i, size)| size.filter(|_| !axes.contains(&i))).collect()
        }
        Some(targets) => sizes
            .iter()
            .zip(targets)
            .map(|(size, target)| match target {
                Target::Kept => *size,
                Target::Resized { size, .. } => Some(size),
            })
            .collect(),
    };
    one(input.element, Some(result))
}
