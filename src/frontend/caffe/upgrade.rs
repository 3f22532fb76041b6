//! Layers of the forms before 2015 become such of today, as Caffe's own `upgrade_proto.cpp` does.

use super::proto::v1_layer_parameter::LayerType;
use super::proto::*;

/// Types of layers that the enumeration had, by their names of today.
fn type_name(kind: LayerType) -> &'static str {
    match kind {
        LayerType::None => "",
        LayerType::Absval => "AbsVal",
        LayerType::Accuracy => "Accuracy",
        LayerType::Argmax => "ArgMax",
        LayerType::Bnll => "BNLL",
        LayerType::Concat => "Concat",
        LayerType::ContrastiveLoss => "ContrastiveLoss",
        LayerType::Convolution => "Convolution",
        LayerType::Data => "Data",
        LayerType::Deconvolution => "Deconvolution",
        LayerType::Dropout => "Dropout",
        LayerType::DummyData => "DummyData",
        LayerType::EuclideanLoss => "EuclideanLoss",
        LayerType::Eltwise => "Eltwise",
        LayerType::Exp => "Exp",
        LayerType::Flatten => "Flatten",
        LayerType::Hdf5Data => "HDF5Data",
        LayerType::Hdf5Output => "HDF5Output",
        LayerType::HingeLoss => "HingeLoss",
        LayerType::Im2col => "Im2col",
        LayerType::ImageData => "ImageData",
        LayerType::InfogainLoss => "InfogainLoss",
        LayerType::InnerProduct => "InnerProduct",
        LayerType::Lrn => "LRN",
        LayerType::MemoryData => "MemoryData",
        LayerType::MultinomialLogisticLoss => "MultinomialLogisticLoss",
        LayerType::Mvn => "MVN",
        LayerType::Pooling => "Pooling",
        LayerType::Power => "Power",
        LayerType::Relu => "ReLU",
        LayerType::Sigmoid => "Sigmoid",
        LayerType::SigmoidCrossEntropyLoss => "SigmoidCrossEntropyLoss",
        LayerType::Silence => "Silence",
        LayerType::Softmax => "Softmax",
        LayerType::SoftmaxLoss => "SoftmaxWithLoss",
        LayerType::Split => "Split",
        LayerType::Slice => "Slice",
        LayerType::Tanh => "TanH",
        LayerType::WindowData => "WindowData",
        LayerType::Threshold => "Threshold",
    }
}

/// A layer of the form of 2014.
pub fn from_v1(old: V1LayerParameter) -> Result<LayerParameter, String> {
    let kind = type_name(old.r#type()).to_owned();
    let Some(oldest) = old.layer else {
        return Ok(LayerParameter {
            name: old.name,
            r#type: Some(kind),
            bottom: old.bottom,
            top: old.top,
            param: old.param.into_iter().map(|name| ParamSpec { name: Some(name), ..ParamSpec::default() }).collect(),
            include: old.include,
            exclude: old.exclude,
            argmax_param: old.argmax_param,
            concat_param: old.concat_param,
            convolution_param: old.convolution_param,
            dropout_param: old.dropout_param,
            eltwise_param: old.eltwise_param,
            exp_param: old.exp_param,
            inner_product_param: old.inner_product_param,
            lrn_param: old.lrn_param,
            mvn_param: old.mvn_param,
            pooling_param: old.pooling_param,
            power_param: old.power_param,
            relu_param: old.relu_param,
            sigmoid_param: old.sigmoid_param,
            softmax_param: old.softmax_param,
            slice_param: old.slice_param,
            tanh_param: old.tanh_param,
            threshold_param: old.threshold_param,
            ..LayerParameter::default()
        });
    };
    from_v0(oldest, old.bottom, old.top)
}

/// A layer of the form of 2013, with the blobs that the message around it names.
fn from_v0(old: V0LayerParameter, bottom: Vec<String>, top: Vec<String>) -> Result<LayerParameter, String> {
    let mut layer = LayerParameter { name: old.name.clone(), bottom, top, ..LayerParameter::default() };
    let kind = match old.r#type() {
        "bnll" => "BNLL",
        "concat" => {
            layer.concat_param = Some(ConcatParameter { concat_dim: old.concat_dim, axis: None });
            "Concat"
        }
        "conv" => {
            layer.convolution_param = Some(ConvolutionParameter {
                num_output: old.num_output,
                bias_term: old.biasterm,
                pad: old.pad.into_iter().collect(),
                kernel_size: old.kernelsize.into_iter().collect(),
                stride: old.stride.into_iter().collect(),
                group: old.group,
                ..ConvolutionParameter::default()
            });
            "Convolution"
        }
        "data" => "Data",
        "dropout" => {
            layer.dropout_param = Some(DropoutParameter { dropout_ratio: old.dropout_ratio, scale_train: None });
            "Dropout"
        }
        "euclidean_loss" => "EuclideanLoss",
        "flatten" => "Flatten",
        "hdf5_data" => "HDF5Data",
        "hdf5_output" => "HDF5Output",
        "hinge_loss" => "HingeLoss",
        "im2col" => "Im2col",
        "images" => "ImageData",
        "infogain_loss" => "InfogainLoss",
        "innerproduct" => {
            layer.inner_product_param = Some(InnerProductParameter {
                num_output: old.num_output,
                bias_term: old.biasterm,
                ..InnerProductParameter::default()
            });
            "InnerProduct"
        }
        "lrn" => {
            layer.lrn_param = Some(LrnParameter {
                local_size: old.local_size,
                alpha: old.alpha,
                beta: old.beta,
                k: old.k,
                ..LrnParameter::default()
            });
            "LRN"
        }
        "multinomial_logistic_loss" => "MultinomialLogisticLoss",
        // Its size goes into the layers behind it.
        "padding" => "padding",
        "pool" => {
            layer.pooling_param = Some(PoolingParameter {
                pool: old.pool,
                pad: old.pad,
                kernel_size: old.kernelsize,
                stride: old.stride,
                ..PoolingParameter::default()
            });
            "Pooling"
        }
        "relu" => "ReLU",
        "sigmoid" => "Sigmoid",
        "softmax" => "Softmax",
        "softmax_loss" => "SoftmaxWithLoss",
        "split" => "Split",
        "tanh" => "TanH",
        "window_data" => "WindowData",
        other => return Err(format!("its type {other:?} is none of the form of 2013")),
    };
    layer.r#type = Some(kind.to_owned());
    if kind == "padding" {
        // Only the layers of convolution read it.
        layer.convolution_param =
            Some(ConvolutionParameter { pad: old.pad.into_iter().collect(), ..ConvolutionParameter::default() });
    }
    Ok(layer)
}

/// Puts what layers of type `padding` add into the convolutions and poolings that read them, and takes them away.
///
/// # Errors
/// The index of a layer, and why it cannot read one of them.
pub fn absorb_padding<T>(
    layers: Vec<T>,
    parameters: impl Fn(&mut T) -> &mut LayerParameter,
) -> Result<Vec<T>, (T, String)> {
    // From the blob that a layer of padding makes to the one that it reads, and how much it adds.
    let mut padded: std::collections::HashMap<String, (String, Vec<u32>)> = std::collections::HashMap::new();
    let mut kept = Vec::new();
    for mut layer in layers {
        let own = parameters(&mut layer);
        if own.r#type() == "padding" {
            let pad = own.convolution_param.take().unwrap_or_default().pad;
            if let ([bottom], [top]) = (own.bottom.as_slice(), own.top.as_slice()) {
                padded.insert(top.clone(), (bottom.clone(), pad));
                continue;
            }
            return Err((layer, "a layer of padding has one bottom and one top".to_owned()));
        }
        let mut bottoms = own.bottom.clone();
        for bottom in &mut bottoms {
            let Some((source, pad)) = padded.get(bottom.as_str()) else { continue };
            match own.r#type.as_deref() {
                Some("Convolution") => own.convolution_param.get_or_insert_default().pad.clone_from(pad),
                Some("Pooling") => own.pooling_param.get_or_insert_default().pad = pad.first().copied(),
                _ => return Err((layer, "it reads a layer of padding, which only conv and pool may".to_owned())),
            }
            bottom.clone_from(source);
        }
        own.bottom = bottoms;
        for top in &own.top {
            padded.remove(top);
        }
        kept.push(layer);
    }
    Ok(kept)
}
