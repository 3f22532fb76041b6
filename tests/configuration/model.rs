//! The configuration against the model's inputs, and configurations that fast-perf makes from them.

use crate::{BASE, base_with, environment, folder, read};
use hb::driver::configuration::{
    CALIBRATION_TYPE, CalibrationType, Configuration, FastPerf, FastPerfError, ModelFacts, ModelInput,
    OUTPUT_MODEL_FILE_PREFIX, Purpose, SCALE_VALUE, WORKING_DIR, configuration_text,
};
use hb::frontend::ModelFiles;

fn declared(name: &str, shape: &[Option<u64>], element: &str) -> ModelInput {
    ModelInput { name: name.into(), shape: shape.to_vec(), element: element.into() }
}

fn facts(inputs: &[ModelInput]) -> ModelFacts {
    ModelFacts { inputs: inputs.to_vec(), nodes: Vec::new() }
}

#[track_caller]
fn mismatch(text: &str, model: &[ModelInput], fragments: &[&str]) {
    let problems =
        read(text).expect("sound").check_against(&facts(model)).expect_err("does not fit the model").to_string();
    assert_eq!(problems.lines().count(), 1, "{problems}");
    for fragment in fragments {
        assert!(problems.contains(fragment), "{problems} holds {fragment}");
    }
}

/// The planes of an image have names of their own.
#[test]
fn a_plane_with_the_name_of_an_input() {
    let text = |name: &str| {
        format!(
            "model_parameters: {{onnx_model: model.onnx, march: nash-e}}\n\
             input_parameters: {{input_name: im;{name}, input_type_train: rgb;featuremap, input_type_rt: nv12;featuremap, input_layout_train: NHWC;NHWC}}\n\
             calibration_parameters: {{cal_data_dir: samples;samples, calibration_type: max}}\n"
        )
    };
    let model = |name: &str| {
        let image = declared("im", &[Some(1), Some(8), Some(8), Some(3)], "float");
        [image, declared(name, &[Some(1), Some(4)], "float")]
    };
    for name in ["im_y", "im_uv"] {
        let what = format!("input 'im': a part of its image becomes the input '{name}', and the model has an input");
        mismatch(&text(name), &model(name), &["input_type_rt", &what, "rename one of them"]);
    }
    read(&text("im_roi")).expect("sound").check_against(&facts(&model("im_roi"))).expect("there is no region");
}

#[test]
fn against_the_model() {
    let shape = [None, Some(3), Some(224), None];
    let fitting = declared("data", &shape, "float");
    let checked = read(BASE).expect("sound").check_against(&facts(std::slice::from_ref(&fitting))).expect("fits");
    assert_eq!(checked[0].shape, [1, 3, 224, 224]);
    assert_eq!(checked[0].per_channel(&SCALE_VALUE), [0.017; 3], "one number holds for each channel");

    mismatch(BASE, &[declared("date", &shape, "float")], &["the model has no input 'data'"]);
    mismatch(
        BASE,
        &[fitting.clone(), declared("more", &[Some(1)], "float")],
        &[":5:15: ", "also has the input(s) 'more'", "'data; more'"],
    );
    mismatch(
        BASE,
        &[declared("data", &[Some(1), Some(3), Some(224)], "float")],
        &[":9:16: ", "1x3x224x224 is not the model's shape 1x3x224", "give as many sizes as the model does"],
    );
    mismatch(
        BASE,
        &[declared("data", &[], "float")],
        &[":9:16: ", "1x3x224x224 is given for an input without dimensions", "write None for a scalar"],
    );
    let other = declared("data", &[Some(1), Some(3), Some(32), Some(32)], "float");
    let checked =
        read(BASE).expect("sound").check_against(&facts(&[other])).expect("sizes that the model fixes may be changed");
    assert_eq!(checked[0].shape, [1, 3, 224, 224]);
    mismatch(BASE, &[declared("data", &shape, "int64")], &[":7:18: ", "its elements are int64"]);
    mismatch(
        BASE,
        &[declared("data", &shape, "float16")],
        &[":7:18: ", "float16, but images become float; use featuremap, or export the model with a float input"],
    );

    let unnamed = base_with(5, "").replace("  input_shape: '1x3x224x224'\n", "");
    let checked = read(&unnamed).expect("sound").check_against(&facts(&[declared(
        "x",
        &[None, Some(3), Some(8), Some(8)],
        "float",
    )]));
    assert_eq!(checked.expect("fits")[0].shape, [1, 3, 8, 8], "only the first dimension becomes 1");
    mismatch(
        &unnamed,
        &[declared("x", &[Some(1), Some(3), Some(0), Some(8)], "float")],
        &["the model leaves dimension 2 of 1x3x0x8 open; add input_shape"],
    );
    mismatch(
        &unnamed,
        std::slice::from_ref(&fitting),
        &["input_parameters.input_shape", "leaves dimension 3 of ?x3x224x? open; add input_shape"],
    );
    mismatch(
        &unnamed,
        &[declared("x", &[None, Some(3), None, None], "float")],
        &["input_parameters.input_shape", "leaves dimensions 2, 3 of ?x3x?x? open; add input_shape"],
    );
    let one_mean = unnamed.replace("110.94 116.78 120.68", "7");
    mismatch(
        &one_mean,
        &[declared("x", &[Some(1), Some(4), Some(8), Some(8)], "float")],
        &["bgr has 3 channels", "has 4"],
    );
    mismatch(
        &unnamed,
        &[fitting.clone(), fitting],
        &["the model has 2 inputs, so their names are needed; add input_name: 'data; data'"],
    );
}

#[test]
fn fast_perf_goes_through_the_same_table() {
    let folder = folder();
    let options = FastPerf {
        purpose: Purpose::Speed,
        core_num: None,
        files: ModelFiles { model: "model.onnx".into(), proto: None },
        march: "nash-m".into(),
        shapes: vec![("b: \"x\"".into(), "2x5".into())],
    };
    let inputs = [declared("a", &[None, Some(3)], "float"), declared("b: \"x\"", &[None, None], "float")];
    let text = configuration_text(&options, &inputs).expect("expressible");
    let path = folder.path().join(".fast_perf/model.yaml");
    std::fs::create_dir(folder.path().join(".fast_perf")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    let configuration = Configuration::read(&path, &environment()).expect("sound");
    let checked = configuration.check_against(&facts(&inputs)).expect("fits");
    assert_eq!((checked[0].shape.as_slice(), checked[1].shape.as_slice()), ([1, 3].as_slice(), [2, 5].as_slice()));
    assert_eq!(*configuration.get(&WORKING_DIR), folder.path().join(".fast_perf"));
    assert_eq!(configuration.get(&OUTPUT_MODEL_FILE_PREFIX), "model");
    assert_eq!(*configuration.get(&CALIBRATION_TYPE), CalibrationType::Skip);
    assert!(configuration.warnings.is_empty(), "what has no effect is not written: {:?}", configuration.warnings);

    let error = |shapes: &[(&str, &str)]| {
        let shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), (*shape).to_owned())).collect();
        configuration_text(&FastPerf { shapes, ..options.clone() }, &inputs).expect_err("must fail")
    };
    let open = [("a", "1x3")];
    let told = "the model leaves sizes of input 'b: \"x\"' (?x?) open; add --input-shape b: \"x\" 1x? with a number in place of each ?";
    assert_eq!(error(&open).to_string(), told);
    assert!(matches!(error(&[("c", "1")]), FastPerfError::UnknownInput { .. }));
    assert!(matches!(error(&[("a", "1x3"), ("a", "1x3")]), FastPerfError::Twice(_)));
    let told = "--input-shape a: 3 has another number of sizes than the model's ?x3; give as many";
    assert_eq!(error(&[("a", "3"), ("b: \"x\"", "1x2")]).to_string(), told);
    // All inputs at once.
    let two = [declared("a", &[None, Some(3), None], "float"), declared("b", &[Some(1), Some(0)], "float")];
    let error = |shapes| configuration_text(&FastPerf { shapes, ..options.clone() }, &two).expect_err("must fail");
    let told = "the model leaves sizes of input 'a' (?x3x?), input 'b' (1x0) open; \
                add --input-shape a 1x3x? --input-shape b 1x? with a number in place of each ?";
    assert_eq!(error(Vec::new()).to_string(), told);
}

/// An item that says nothing would be none: where it is the last, that of a closing semicolon.
#[test]
fn inputs_without_dimensions_have_no_shape() {
    let inputs = [
        declared("rate", &[], "int64"),
        declared("sound", &[Some(1), Some(64)], "float"),
        declared("gain", &[], "float"),
    ];
    for purpose in [Purpose::Speed, Purpose::Check] {
        let files = ModelFiles { model: "model.onnx".into(), proto: None };
        let options = FastPerf { purpose, core_num: None, files, march: "nash-e".into(), shapes: Vec::new() };
        for inputs in [&inputs[..], &inputs[..1]] {
            let text = configuration_text(&options, inputs).expect("expressible");
            let folder = folder();
            let path = folder.path().join(".fast_perf/model.yaml");
            std::fs::create_dir(folder.path().join(".fast_perf")).expect("a folder");
            std::fs::write(&path, &text).expect("a file");
            let configuration =
                Configuration::read(&path, &environment()).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
            let checked = configuration.check_against(&facts(inputs)).expect("fits");
            assert!(checked[0].shape.is_empty() && checked.last().expect("an input").shape.is_empty());
        }
    }
}

#[test]
fn fast_perf_guesses_images_by_the_published_rule() {
    let text = |purpose, input: ModelInput, shapes: &[(&str, &str)]| {
        let shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), (*shape).to_owned())).collect();
        let files = ModelFiles { model: "m.onnx".into(), proto: None };
        let options = FastPerf { purpose, core_num: None, files, march: "nash-m".into(), shapes };
        configuration_text(&options, &[input]).expect("expressible")
    };
    let is_image = |text: &str, layout: &str| {
        text.contains("input_type_rt: \"nv12\"")
            && text.contains("input_type_train: \"bgr\"")
            && text.contains(&format!("input_layout_train: \"{layout}\""))
    };
    let fixed = |shape: &[u64]| declared("a", &shape.iter().copied().map(Some).collect::<Vec<_>>(), "float");
    assert!(is_image(&text(Purpose::Speed, fixed(&[1, 3, 6, 4]), &[]), "NCHW"));
    assert!(is_image(&text(Purpose::Speed, fixed(&[1, 6, 4, 3]), &[]), "NHWC"));
    // The shape that counts is the one asked for.
    let open = declared("a", &[None, Some(3), None, None], "float");
    for shape in ["1x3x6x4", "1X3 x 6x4"] {
        assert!(is_image(&text(Purpose::Speed, open.clone(), &[("a", shape)]), "NCHW"));
    }
    let feature_maps = [
        text(Purpose::Check, fixed(&[1, 3, 6, 4]), &[]),
        text(Purpose::Speed, open, &[("a", "1x3x6x5")]),
        text(Purpose::Speed, fixed(&[1, 3, 6, 3]), &[]),
        text(Purpose::Speed, fixed(&[1, 4, 6, 4]), &[]),
        text(Purpose::Speed, fixed(&[1, 3, 64]), &[]),
        text(Purpose::Speed, declared("a", &[Some(1), Some(3), Some(6), Some(4)], "int64"), &[]),
    ];
    for text in feature_maps {
        assert!(text.contains("input_type_rt: \"featuremap\""), "{text}");
        assert!(text.contains("input_type_train: \"featuremap\""), "{text}");
    }
}
