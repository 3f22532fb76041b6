//! Pooling by Caffe's rule for sizes, and what is made of it: SPP.

use super::super::builder::{Blob, LayerBuilder, Size, ints, known, shown};
use super::super::proto::pooling_parameter::{PoolMethod, RoundMode};
use super::super::proto::{PoolingParameter, UpsampleParameter};
use super::Built;
use super::elementwise::{cast, float};
use crate::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;

/// Windows over rows and columns.
pub struct Pool {
    /// What becomes of a window.
    pub method: PoolMethod,
    /// Its size.
    pub kernel: [usize; 2],
    /// At both ends.
    pub pad: [usize; 2],
    /// From window to window.
    pub stride: [usize; 2],
    /// Whether a window may begin where less than all of it is left.
    pub ceil: bool,
}

/// One dimension of the windows.
struct Span {
    /// How many windows.
    count: usize,
    /// How far the last one reaches over the padded end.
    beyond: usize,
}

impl Pool {
    /// Caffe rounds the number of windows up; with padding, a last window that begins in the padding behind the data goes.
    fn span(&self, axis: usize, size: usize) -> Result<Span, String> {
        let at = |values: [usize; 2]| values.get(axis).copied().unwrap_or_default() as i128;
        let (kernel, pad, stride, size) = (at(self.kernel), at(self.pad), at(self.stride), size as i128);
        if kernel == 0 || stride == 0 {
            return Err("kernel_size is missing, or it or stride is 0".to_owned());
        }
        if pad >= kernel {
            return Err(format!("pad {pad} is not smaller than the kernel {kernel}"));
        }
        let room = size + 2 * pad - kernel;
        // Division toward zero of what is below it, as in C, rounds up.
        let steps = if self.ceil && room > 0 { (room + stride - 1) / stride } else { room / stride };
        let mut count = if room < 0 && !self.ceil { 0 } else { steps + 1 };
        if self.pad != [0, 0] && (count - 1) * stride >= size + pad {
            count -= 1;
        }
        let start = (count - 1) * stride - pad;
        if count < 1 || start >= size {
            return Err(format!(
                "a window of {kernel} in steps of {stride} does not fit into the {size} of dimension {}",
                axis + 2
            ));
        }
        let beyond = ((count - 1) * stride + kernel - size - 2 * pad).max(0);
        let fits = |value: i128| usize::try_from(value).map_err(|_| "it is too large".to_owned());
        Ok(Span { count: fits(count)?, beyond: fits(beyond)? })
    }

    /// The shape of the result, and how far the last windows reach over the padded ends.
    fn shape(&self, x: &Blob) -> Result<(Vec<Size>, [usize; 2]), String> {
        let (rows, columns) = (self.span(0, x.size(2)?)?, self.span(1, x.size(3)?)?);
        let at = |axis: usize| x.shape.get(axis).copied().flatten();
        Ok((vec![at(0), at(1), Some(rows.count), Some(columns.count)], [rows.beyond, columns.beyond]))
    }

    /// Those of the node, which pads so much at each end.
    fn attributes(&self, pads: [usize; 4]) -> Vec<(&'static str, Attribute)> {
        vec![
            ("kernel_shape", ints(self.kernel)),
            ("strides", ints(self.stride)),
            ("pads", ints(pads)),
            ("ceil_mode", Attribute::Int(0)),
        ]
    }

    /// Appends it, and the mask: where in its channel each maximum lies, row by row, as a float.
    fn build_with_mask(&self, b: &mut LayerBuilder<'_>, x: &Blob) -> Built {
        if self.method != PoolMethod::Max {
            return Err("only pool: MAX has a mask as its second top".to_owned());
        }
        let (shape, [below, right]) = self.shape(x)?;
        let [top, left] = self.pad;
        let attributes = self.attributes([top, left, top + below, left + right]);
        let pooled = b.nodes("MaxPool", &[x], &attributes, vec![shape.clone(), shape])?;
        let [maxima, places] = <[Blob; 2]>::try_from(pooled).map_err(|_| "MaxPool has two results")?;
        let area = x.size(2)?.checked_mul(x.size(3)?).and_then(|area| i64::try_from(area).ok());
        let area = b.integers("area", &[area.ok_or("it is too large")?]);
        let places = b.binary("Mod", &places, &area)?;
        Ok(vec![maxima, float(b, &places)?])
    }

    /// Appends it.
    pub fn build(&self, b: &mut LayerBuilder<'_>, x: &Blob) -> Result<Blob, String> {
        let (shape, [below, right]) = self.shape(x)?;
        let [top, left] = self.pad;
        let attributes = |pads| self.attributes(pads);
        match self.method {
            PoolMethod::Max => b.node("MaxPool", &[x], &attributes([top, left, top + below, left + right]), shape),
            // Caffe divides by the size of the window in the padded data: padding counts, what lies beyond it does not.
            PoolMethod::Ave if [below, right] == [0, 0] => {
                let mut all = attributes([top, left, top, left]);
                all.push(("count_include_pad", Attribute::Int(1)));
                b.node("AveragePool", &[x], &all, shape)
            }
            PoolMethod::Ave => {
                let padded = if self.pad == [0, 0] { x.clone() } else { self.padded(b, x)? };
                let mut all = attributes([0, 0, below, right]);
                all.push(("count_include_pad", Attribute::Int(0)));
                b.node("AveragePool", &[&padded], &all, shape)
            }
            PoolMethod::Stochastic => {
                Err("pool: STOCHASTIC draws random numbers in training; use MAX or AVE".to_owned())
            }
        }
    }

    /// The data with zeros around them.
    fn padded(&self, b: &mut LayerBuilder<'_>, x: &Blob) -> Result<Blob, String> {
        let [top, left] = self.pad.map(|size| size as i64);
        let pads = b.integers("pads", &[0, 0, top, left, 0, 0, top, left]);
        let mut shape = x.shape.clone();
        for (size, pad) in shape.iter_mut().skip(2).zip(self.pad) {
            *size = size.map(|size| size + 2 * pad);
        }
        b.node("Pad", &[x, &pads], &[], shape)
    }
}

/// Rows and columns of a field that is given for both, or for each.
fn both(name: &str, one: Option<u32>, h: Option<u32>, w: Option<u32>, default: u32) -> Result<[usize; 2], String> {
    match (one, h, w) {
        (Some(one), None, None) => Ok([one as usize; 2]),
        (None, None, None) => Ok([default as usize; 2]),
        (None, h, w) => Ok([h.unwrap_or(default) as usize, w.unwrap_or(default) as usize]),
        _ => Err(format!("{name} is given twice: for both dimensions, and for rows or columns")),
    }
}

fn pool_of(parameter: &PoolingParameter, size: [usize; 2]) -> Result<Pool, String> {
    let PoolingParameter { kernel_size, kernel_h, kernel_w, .. } = *parameter;
    if parameter.round_mode.is_some() && parameter.ceil_mode.is_some() {
        return Err("round_mode and ceil_mode say the same; keep round_mode".to_owned());
    }
    let pool = Pool {
        method: parameter.pool(),
        kernel: both("kernel_size", kernel_size, kernel_h, kernel_w, 0)?,
        pad: both("pad", parameter.pad, parameter.pad_h, parameter.pad_w, 0)?,
        stride: both("stride", parameter.stride, parameter.stride_h, parameter.stride_w, 1)?,
        ceil: parameter.round_mode() == RoundMode::Ceil && parameter.ceil_mode(),
    };
    if !parameter.global_pooling() {
        return Ok(pool);
    }
    if [kernel_size, kernel_h, kernel_w].iter().any(Option::is_some) {
        return Err("global_pooling takes no kernel_size; remove one of them".to_owned());
    }
    if pool.pad != [0, 0] || pool.stride != [1, 1] {
        return Err("global_pooling takes no pad and no stride".to_owned());
    }
    Ok(Pool { kernel: size, ..pool })
}

/// Pooling.
pub fn pooling(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.pooling_param.unwrap_or_default();
    let (x, [channels, rows, columns]) = b.image()?;
    let pool = pool_of(&parameter, [rows, columns])?;
    if b.layer.parameters.top.len() > 1 {
        return pool.build_with_mask(b, &x);
    }
    let operator = match pool.method {
        PoolMethod::Max if parameter.global_pooling() => "GlobalMaxPool",
        PoolMethod::Ave if parameter.global_pooling() => "GlobalAveragePool",
        _ => return Ok(vec![pool.build(b, &x)?]),
    };
    let shape = vec![x.shape.first().copied().flatten(), Some(channels), Some(1), Some(1)];
    Ok(vec![b.node(operator, &[&x], &[], shape)?])
}

/// Each value goes to the place in its channel that the mask of a pooling says; the rest is 0.
pub fn unpool(b: &mut LayerBuilder<'_>, parameter: &UpsampleParameter) -> Built {
    let (x, [channels, rows, columns]) = b.image()?;
    let mask = b.bottom(1)?;
    if mask.shape != x.shape {
        return Err(format!("its mask has the shape {}, its data have {}", shown(&mask.shape), shown(&x.shape)));
    }
    let scale = parameter.scale.unwrap_or(2);
    let side = |given: Option<u32>, size: usize, scale: u32, is_odd: bool| match given {
        Some(given) => Some(given as usize),
        None => size.checked_mul(scale as usize)?.checked_sub(is_odd.into()),
    };
    let height = side(parameter.upsample_h, rows, parameter.scale_h.unwrap_or(scale), parameter.pad_out_h());
    let width = side(parameter.upsample_w, columns, parameter.scale_w.unwrap_or(scale), parameter.pad_out_w());
    let (Some(height @ 1..), Some(width @ 1..)) = (height, width) else {
        return Err("upsample_param needs upsample_h and upsample_w, or a scale, of 1 or more".to_owned());
    };
    let samples = x.size(0)?;
    let area = |rows: usize, columns: usize| rows.checked_mul(columns).ok_or("it is too large");
    let shape = [samples, channels, area(height, width)?];
    let small = vec![Some(samples), Some(channels), Some(area(rows, columns)?)];
    let (values, mask) = (b.reshape(&x, small.clone())?, b.reshape(&mask, small)?);
    let places = cast(b, &mask, ElementType::I64)?;
    let sizes = b.integers("sizes", &shape.map(|size| size as i64));
    let zero = b.scalar("zero", 0.0);
    let zeros = b.node("Expand", &[&zero, &sizes], &[], known(&shape))?;
    let axis = [("axis", Attribute::Int(2))];
    let unpooled = b.node("ScatterElements", &[&zeros, &places, &values], &axis, known(&shape))?;
    Ok(vec![b.reshape(&unpooled, known(&[samples, channels, height, width]))?])
}

/// More levels than this have more windows than any image.
const MAX_LEVELS: u32 = 16;

/// Spatial pyramid pooling: level i has 2^i by 2^i windows; all are one vector per sample.
pub fn spp(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.spp_param.unwrap_or_default();
    let levels = parameter.pyramid_height.unwrap_or(0);
    if levels == 0 || levels > MAX_LEVELS {
        return Err(format!("pyramid_height is {levels}, 1 to {MAX_LEVELS} are possible"));
    }
    let (x, [channels, rows, columns]) = b.image()?;
    let mut parts = Vec::new();
    for level in 0..levels {
        let bins = 1_usize << level;
        let kernel = [rows, columns].map(|size| size.div_ceil(bins));
        let pad = |kernel: usize, size: usize| (kernel * bins - size).div_ceil(2);
        let [kernel_rows, kernel_columns] = kernel;
        let pool = Pool {
            method: parameter.pool(),
            kernel,
            pad: [pad(kernel_rows, rows), pad(kernel_columns, columns)],
            stride: kernel,
            ceil: true,
        };
        let pooled = pool.build(b, &x)?;
        // A single level stays as Pooling makes it.
        if levels == 1 {
            return Ok(vec![pooled]);
        }
        let (rows, columns) = (pooled.size(2)?, pooled.size(3)?);
        let values = channels.checked_mul(rows * columns).ok_or("it has too many windows")?;
        let samples = x.shape.first().copied().flatten();
        parts.push(b.reshape(&pooled, vec![samples, Some(values)])?);
    }
    Ok(vec![b.concat(&parts.iter().collect::<Vec<_>>(), 1)?])
}
