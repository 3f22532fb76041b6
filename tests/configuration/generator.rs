//! Files that `hb_config_generator` writes are read by the compiler.

use crate::{environment, folder};
use hb::driver::configuration::{
    CAL_IMAGE_PREPROCESSING, Configuration, ConfigurationExtent, FastPerfError, INPUT_LAYOUT_TRAIN, INPUT_NAME,
    INPUT_SHAPE, INPUT_TYPE_TRAIN, InputType, Layout, MEAN_VALUE, ModelInput, PARAMETERS, generated,
};
use hb::frontend::ModelFiles;

fn onnx() -> ModelFiles {
    ModelFiles { model: "model.onnx".into(), proto: None }
}

fn input(name: &str, shape: &[Option<u64>]) -> ModelInput {
    ModelInput { name: name.into(), shape: shape.to_vec(), element: "float".into() }
}

/// What a generated file says, once the folders that it names are there.
fn read(text: &str) -> Configuration {
    let folder = folder();
    for name in ["image", "points", "in_1"] {
        std::fs::create_dir_all(folder.path().join("calibration_data").join(name)).expect("a folder");
    }
    let path = folder.path().join("cfg.yaml");
    std::fs::write(&path, text).expect("a file");
    Configuration::read(&path, &environment()).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn files_are_filled_from_the_model() {
    let inputs = [
        input("image", &[None, Some(224), Some(224), Some(3)]),
        input("points", &[Some(1), Some(64)]),
        input("in:1", &[Some(1), Some(3), Some(7), Some(8)]),
    ];
    for extent in [ConfigurationExtent::Simple, ConfigurationExtent::Full] {
        let text = generated(extent, Some((&onnx(), &inputs)), "nash-m").expect("expressible");
        let configuration = read(&text);
        let names: Vec<Option<&str>> =
            configuration.inputs.iter().map(|input| input.get(&INPUT_NAME).as_deref()).collect();
        assert_eq!(names, [Some("image"), Some("points"), Some("in:1")]);
        let kinds: Vec<InputType> = configuration.inputs.iter().map(|input| *input.get(&INPUT_TYPE_TRAIN)).collect();
        assert_eq!(
            kinds,
            [InputType::Bgr, InputType::Featuremap, InputType::Featuremap],
            "an odd height is no camera's"
        );
        assert_eq!(*configuration.inputs[0].get(&INPUT_LAYOUT_TRAIN), Layout::Nhwc);
        assert_eq!(configuration.inputs[0].get(&INPUT_SHAPE).as_deref(), Some([1, 224, 224, 3].as_slice()));
        let explained = PARAMETERS.iter().all(|parameter| text.contains(&format!("{}:", parameter.name)));
        assert_eq!(explained, extent == ConfigurationExtent::Full, "{text}");
    }
}

/// What is a comment because the model cannot tell it is sound when it is none, in the order of the type that is guessed.
#[test]
fn hints_hold_when_they_are_uncommented() {
    let inputs = [input("image", &[Some(1), Some(3), Some(224), Some(224)]), input("points", &[Some(1), Some(8)])];
    let text = generated(ConfigurationExtent::Simple, Some((&onnx(), &inputs)), "nash-e").expect("expressible");
    let hinted = ["norm_type", "mean_value", "scale_value", "cal_image_preprocessing"];
    assert!(hinted.iter().all(|name| text.contains(&format!("  # {name}: "))), "{text}");
    let text =
        hinted.iter().fold(text.clone(), |text, name| text.replace(&format!("  # {name}: "), &format!("  {name}: ")));
    let configuration = read(&text);
    assert_eq!(configuration.inputs[0].get(&MEAN_VALUE).as_deref(), Some([103.53, 116.28, 123.675].as_slice()));
    assert_eq!(configuration.inputs[1].get(&MEAN_VALUE).as_deref(), None);
    assert!(configuration.inputs[0].get(&CAL_IMAGE_PREPROCESSING).is_some(), "{text}");
    let warnings: Vec<String> = configuration.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
    // The same numbers for a network of rgb are questioned.
    let turned = read(&text.replace("input_type_train: 'bgr", "input_type_train: 'rgb").replace("\"bgr", "\"rgb"));
    let told: Vec<String> = turned.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains("ImageNet in the order of bgr, but input_type_train is rgb"),
        "{told:#?}"
    );
}

#[test]
fn an_input_without_dimensions_has_no_shape() {
    let inputs = [input("image", &[Some(1), Some(8)]), input("points", &[])];
    for extent in [ConfigurationExtent::Simple, ConfigurationExtent::Full] {
        let configuration = read(&generated(extent, Some((&onnx(), &inputs)), "nash-e").expect("expressible"));
        let shapes: Vec<Option<&[u64]>> =
            configuration.inputs.iter().map(|input| input.get(&INPUT_SHAPE).as_deref()).collect();
        assert_eq!(shapes, [Some([1, 8].as_slice()), None]);
    }
}

#[test]
fn a_caffe_network_is_named_by_both_files() {
    let files = ModelFiles { model: "model.caffemodel".into(), proto: Some("model.prototxt".into()) };
    let inputs = [input("image", &[Some(1), Some(3), Some(224), Some(224)])];
    let text = generated(ConfigurationExtent::Simple, Some((&files, &inputs)), "nash-e").expect("expressible");
    let configuration = read(&text);
    let named = configuration.model_files();
    assert!(named.model.ends_with("model.caffemodel"), "{named:?}");
    assert!(named.proto.is_some_and(|proto| proto.ends_with("model.prototxt")), "{text}");
}

#[test]
fn what_cannot_be_filled_in_is_a_placeholder() {
    let folder = folder();
    let path = folder.path().join("cfg.yaml");
    let open = [input("image", &[Some(1), Some(3), None, None])];
    for model in [None, Some((&onnx(), open.as_slice()))] {
        let text = generated(ConfigurationExtent::Simple, model, "nash-e").expect("expressible");
        std::fs::write(&path, &text).expect("a file");
        let problems = Configuration::read(&path, &environment()).expect_err("something is to be filled in");
        assert!(problems.to_string().contains("is a placeholder that nobody has filled in"), "{problems}");
    }
    for name in ["a;b", " a", "a\nb"] {
        let separated = [input(name, &[Some(1)])];
        let error =
            generated(ConfigurationExtent::Simple, Some((&onnx(), &separated)), "nash-e").expect_err("no such name");
        assert_eq!(error, FastPerfError::Inexpressible(name.into()));
    }
}
