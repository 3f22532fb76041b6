//! Functions of each element, and sums and products of several blobs.

use super::super::builder::{Blob, LayerBuilder, shown};
use super::super::proto::eltwise_parameter::EltwiseOp;
use super::Built;
use crate::frontend::onnx::model::Attribute;
use hb_dialects::ElementType;

fn unary(b: &mut LayerBuilder<'_>, operator: &str, attributes: &[(&str, Attribute)]) -> Built {
    let x = b.bottom(0)?;
    Ok(vec![b.unary(operator, &x, attributes)?])
}

/// |x|
pub fn abs_val(b: &mut LayerBuilder<'_>) -> Built {
    unary(b, "Abs", &[])
}

/// ln(1 + exp(x))
pub fn bnll(b: &mut LayerBuilder<'_>) -> Built {
    unary(b, "Softplus", &[])
}

/// What is passed on: Dropout when it does not train, Split.
pub fn identity(b: &mut LayerBuilder<'_>) -> Built {
    let x = b.bottom(0)?;
    Ok(vec![x; b.layer.parameters.top.len()])
}

/// Takes its bottoms, and makes nothing.
pub fn silence(_b: &mut LayerBuilder<'_>) -> Built {
    Ok(Vec::new())
}

/// x for x > 0, otherwise alpha * (exp(x) - 1)
pub fn elu(b: &mut LayerBuilder<'_>) -> Built {
    let alpha = b.layer.parameters.elu_param.unwrap_or_default().alpha();
    unary(b, "Elu", &[("alpha", Attribute::Float(alpha))])
}

/// x * tanh(ln(1 + exp(x)))
pub fn mish(b: &mut LayerBuilder<'_>) -> Built {
    unary(b, "Mish", &[])
}

/// x / (1 + exp(-x))
pub fn sigmoid(b: &mut LayerBuilder<'_>) -> Built {
    unary(b, "Sigmoid", &[])
}

/// x * sigmoid(beta * x)
pub fn swish(b: &mut LayerBuilder<'_>) -> Built {
    let beta = b.layer.parameters.swish_param.unwrap_or_default().beta();
    unary(b, "Swish", &[("alpha", Attribute::Float(beta))])
}

/// The hyperbolic tangent.
pub fn tan_h(b: &mut LayerBuilder<'_>) -> Built {
    unary(b, "Tanh", &[])
}

fn relu_of(b: &mut LayerBuilder<'_>, x: &Blob, slope: f32) -> Result<Blob, String> {
    if slope == 0.0 {
        return b.unary("Relu", x, &[]);
    }
    b.unary("LeakyRelu", x, &[("alpha", Attribute::Float(slope))])
}

/// max(x, 0), or negative_slope * x below 0.
pub fn relu(b: &mut LayerBuilder<'_>) -> Built {
    let slope = b.layer.parameters.relu_param.unwrap_or_default().negative_slope();
    let x = b.bottom(0)?;
    Ok(vec![relu_of(b, &x, slope)?])
}

/// min(max(x, 0), 6)
pub fn relu6(b: &mut LayerBuilder<'_>) -> Built {
    let most = b.layer.parameters.relu6_param.unwrap_or_default().threshold();
    between(b, 0.0, most)
}

/// ReLU of x and of -x, one behind the other.
pub fn c_relu(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.crelu_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let axis = x.axis(parameter.concat_axis())?;
    let negative = b.unary("Neg", &x, &[])?;
    let both = b.concat(&[&x, &negative], axis)?;
    Ok(vec![relu_of(b, &both, parameter.negative_slope())?])
}

/// ReLU with a slope below 0 for each channel, or for all.
pub fn p_relu(b: &mut LayerBuilder<'_>) -> Built {
    let shared = b.layer.parameters.prelu_param.clone().unwrap_or_default().channel_shared();
    let x = b.bottom(0)?;
    let slope = if shared {
        b.weight_blob("slope", 0, &[1])?
    } else {
        // The channels are dimension 1; the ones behind them line up with the end of the bottom's shape.
        let mut shape = vec![x.size(1)?];
        shape.resize(x.rank() - 1, 1);
        b.weight_blob("slope", 0, &shape)?
    };
    Ok(vec![b.node("PRelu", &[&x, &slope], &[], x.shape.clone())?])
}

fn between(b: &mut LayerBuilder<'_>, least: f32, most: f32) -> Built {
    let x = b.bottom(0)?;
    let (least, most) = (b.scalar("min", least), b.scalar("max", most));
    Ok(vec![b.node("Clip", &[&x, &least, &most], &[], x.shape.clone())?])
}

/// Between min and max.
pub fn clip(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.clip_param.unwrap_or_default();
    let (Some(least), Some(most)) = (parameter.min, parameter.max) else {
        return Err("clip_param needs min and max".to_owned());
    };
    between(b, least, most)
}

/// scale * x + shift, with nothing where nothing changes.
fn linear(b: &mut LayerBuilder<'_>, x: &Blob, scale: f32, shift: f32) -> Result<Blob, String> {
    let mut x = x.clone();
    if scale != 1.0 {
        let factor = b.scalar("scale", scale);
        x = b.binary("Mul", &x, &factor)?;
    }
    if shift != 0.0 {
        let term = b.scalar("shift", shift);
        x = b.binary("Add", &x, &term)?;
    }
    Ok(x)
}

/// (shift + scale * x) ^ power
pub fn power(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.power_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let inner = linear(b, &x, parameter.scale(), parameter.shift())?;
    if parameter.power() == 1.0 {
        return Ok(vec![inner]);
    }
    let exponent = b.scalar("power", parameter.power());
    Ok(vec![b.binary("Pow", &inner, &exponent)?])
}

/// base ^ (shift + scale * x), of the natural base when base is -1.
pub fn exp(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.exp_param.unwrap_or_default();
    let logarithm = logarithm_of(parameter.base())?;
    let x = b.bottom(0)?;
    let inner = linear(b, &x, logarithm * parameter.scale(), logarithm * parameter.shift())?;
    Ok(vec![b.unary("Exp", &inner, &[])?])
}

/// The logarithm of shift + scale * x, natural when base is -1.
pub fn log(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.log_param.unwrap_or_default();
    let logarithm = logarithm_of(parameter.base())?;
    if logarithm == 0.0 {
        return Err("base is 1, which has no logarithm".to_owned());
    }
    let x = b.bottom(0)?;
    let inner = linear(b, &x, parameter.scale(), parameter.shift())?;
    let natural = b.unary("Log", &inner, &[])?;
    Ok(vec![linear(b, &natural, 1.0 / logarithm, 0.0)?])
}

fn logarithm_of(base: f32) -> Result<f32, String> {
    if base == -1.0 {
        return Ok(1.0);
    }
    if base > 0.0 {
        Ok(base.ln())
    } else {
        Err(format!("base is {base}, it must be above 0, or -1 for the natural one"))
    }
}

/// 1 where x is above the threshold, otherwise 0.
pub fn threshold(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.threshold_param.unwrap_or_default();
    let x = b.bottom(0)?;
    let limit = b.scalar("threshold", parameter.threshold());
    let above = b.binary("Greater", &x, &limit)?;
    Ok(vec![float(b, &above)?])
}

/// The same as FLOAT.
pub fn float(b: &mut LayerBuilder<'_>, x: &Blob) -> Result<Blob, String> {
    cast(b, x, ElementType::F32)
}

/// The same in another element type.
pub fn cast(b: &mut LayerBuilder<'_>, x: &Blob, element: ElementType) -> Result<Blob, String> {
    b.unary("Cast", x, &[("to", Attribute::Int(element.onnx_code().into()))])
}

/// The product, the sum with coefficients, or the maximum of blobs of one shape.
pub fn eltwise(b: &mut LayerBuilder<'_>) -> Built {
    let parameter = b.layer.parameters.eltwise_param.clone().unwrap_or_default();
    let bottoms = b.bottoms.clone();
    let (first, rest) = bottoms.split_first().ok_or("it has no bottom")?;
    if let Some(other) = rest.iter().find(|bottom| bottom.shape != first.shape) {
        return Err(format!("its bottoms have the shapes {} and {}", shown(&first.shape), shown(&other.shape)));
    }
    let coefficients = &parameter.coeff;
    if !coefficients.is_empty() && (parameter.operation() != EltwiseOp::Sum || coefficients.len() != bottoms.len()) {
        let (count, of) = (coefficients.len(), bottoms.len());
        return Err(format!("{count} coefficients for {of} bottoms; only sums take them, one for each bottom"));
    }
    let coefficient = |index: usize| coefficients.get(index).copied().unwrap_or(1.0);
    let mut result = linear(b, first, coefficient(0), 0.0)?;
    for (index, bottom) in rest.iter().enumerate() {
        result = match (parameter.operation(), coefficient(index + 1)) {
            (EltwiseOp::Prod, _) => b.binary("Mul", &result, bottom)?,
            (EltwiseOp::Max, _) => b.binary("Max", &result, bottom)?,
            (EltwiseOp::Sum, -1.0) => b.binary("Sub", &result, bottom)?,
            (EltwiseOp::Sum, factor) => {
                let term = linear(b, bottom, factor, 0.0)?;
                b.binary("Add", &result, &term)?
            }
        };
    }
    Ok(vec![result])
}

/// scale * x + y, with one scale per sample and channel.
pub fn axpy(b: &mut LayerBuilder<'_>) -> Built {
    let (scale, x, y) = (b.bottom(0)?, b.bottom(1)?, b.bottom(2)?);
    if x.shape != y.shape || x.rank() < 2 {
        return Err(format!("its bottoms 1 and 2 have the shapes {} and {}", shown(&x.shape), shown(&y.shape)));
    }
    let ones = scale.shape.iter().skip(2).all(|size| *size == Some(1));
    if scale.shape.get(..2) != x.shape.get(..2) || !ones {
        let (scale, x) = (shown(&scale.shape), shown(&x.shape));
        return Err(format!(
            "its bottom 0 has the shape {scale}, it must hold one value per sample and channel of {x}"
        ));
    }
    let mut shape = x.shape.clone();
    for size in shape.iter_mut().skip(2) {
        *size = Some(1);
    }
    let scale = b.reshape(&scale, shape)?;
    let product = b.binary("Mul", &x, &scale)?;
    Ok(vec![b.binary("Add", &product, &y)?])
}
