//! Calibration samples: those that are kept, those of integers, and such that cannot be meant.

use crate::{COMPILED, done, example, json, run, tensor, text};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Graph, Model, Node};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::npy;
use hb_dialects::ElementType;
use std::path::Path;

#[test]
fn samples_are_kept_and_advice_is_written() {
    let folder = COMPILED.path().join("model_output");
    let kept = |index: usize| folder.join(format!("calibration_data/image/{index:06}.npy"));
    let count = std::fs::read_dir(example().join("data/calibration")).expect("a folder").count();
    assert!(kept(count - 1).exists() && !kept(count).exists());
    // What is kept is what the model takes.
    let models = "model_output/digits_original_float_model.onnx,model_output/digits_quantized_model.bc";
    let path = kept(0).display().to_string();
    done(COMPILED.path(), "hb_verifier", &["-m", models, "-i", &path]);
    // The layers of the example are small.
    assert_eq!(std::fs::read_to_string(folder.join("digits_advice.json")).expect("a file"), "[]\n");
}

/// Rows of a table by number, then a product: a network with an integer input.
fn save_lookup(path: &Path) {
    let numbers = |shape: &[usize], step: usize| {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| (index * step % 41) as f32 / 20.0 - 1.0).collect();
        Tensor::from_f32s(&values).reshaped(shape.to_vec()).expect("a tensor")
    };
    let graph = Graph {
        name: "lookup".into(),
        nodes: vec![
            // A sum of integers is no normalization.
            Node::new("moved", "Add", &["ids", "one"], &["places"]),
            Node::new("rows", "Gather", &["table", "places"], &["found"]).with("axis", Attribute::Int(0)),
            Node::new("product", "MatMul", &["found", "weights"], &["sums"]),
            Node::new("positive", "Relu", &["sums"], &["y"]),
        ],
        inputs: vec![tensor("ids", ElementType::I64, &[1, 4])],
        outputs: vec![tensor("y", ElementType::F32, &[1, 4, 16])],
        initializers: vec![
            (
                "one".into(),
                Tensor::new(ElementType::I64, vec![1], 1i64.to_le_bytes().to_vec().into()).expect("a tensor"),
            ),
            ("table".into(), numbers(&[11, 8], 7)),
            ("weights".into(), numbers(&[8, 16], 11)),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn an_integer_input_has_integer_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_lookup(&folder.join("lookup.onnx"));
    std::fs::create_dir(folder.join("samples")).expect("a folder");
    let save = |name: &str, array: &Array| {
        std::fs::write(folder.join(name), npy::encode(array).expect("encodes")).expect("a file");
    };
    // int64, another integer type without the batch, and several in one file as doubles that are whole numbers.
    save("samples/a.npy", &Array::from_values(&[1, 4], &[0i64, 3, 9, 1]).expect("an array"));
    save("samples/b.npy", &Array::from_values(&[4], &[5u8, 2, 7, 7]).expect("an array"));
    save(
        "samples/c.npy",
        &Array::from_values(&[2, 1, 4], &[4.0f64, 6.0, 8.0, 0.0, 1.0, 1.0, 2.0, 3.0]).expect("an array"),
    );
    let yaml = "model_parameters:\n  onnx_model: lookup.onnx\n  march: nash-e\n  output_model_file_prefix: lookup\n\
                input_parameters:\n  input_name: ids\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  cal_data_dir: samples\n  calibration_type: max\n\
                compiler_parameters:\n  jobs: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    done(folder, "hb_compile", &["-c", "cfg.yaml"]);
    save("x.npy", &Array::from_values(&[1, 4], &[2i64, 9, 5, 8]).expect("an array"));
    let models = "lookup.onnx,model_output/lookup_quantized_model.bc,model_output/lookup.hbm";
    let report = json(&done(folder, "hb_verifier", &["-m", models, "-i", "x.npy", "--min-cosine", "0.98", "--json"]));
    assert_eq!(report["comparisons"][2]["outputs"][0]["differing_bytes"], 0);
    // What the input cannot hold is no sample.
    save("samples/d.npy", &Array::from_values(&[4], &[0.5f32, 1.0, 2.0, 3.0]).expect("an array"));
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("d.npy") && errors.contains("0.5"), "{errors}");
}

/// A network that normalizes by itself, its configuration, and a folder for its samples.
fn save_normalizing(folder: &Path) {
    let value = |name: &str| tensor(name, ElementType::F32, &[1, 3, 4, 4]);
    let constant =
        |values: &[f32], shape: &[usize]| Tensor::from_f32s(values).reshaped(shape.to_vec()).expect("a tensor");
    let graph = Graph {
        name: "normalizes".into(),
        nodes: vec![
            Node::new("Sub_0", "Sub", &["x", "mean"], &["a"]),
            Node::new("Div_1", "Div", &["a", "deviation"], &["b"]),
            Node::new("Relu_2", "Relu", &["b"], &["y"]),
        ],
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        initializers: vec![
            ("mean".into(), constant(&[0.485, 0.456, 0.406], &[1, 3, 1, 1])),
            ("deviation".into(), constant(&[0.229, 0.224, 0.225], &[1, 3, 1, 1])),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), &folder.join("network.onnx")).expect("written");
    let yaml = "model_parameters:\n  onnx_model: network.onnx\n  march: nash-e\n  output_model_file_prefix: network\n\
                input_parameters:\n  input_type_train: featuremap\n  input_type_rt: featuremap\n  \
                input_layout_train: NCHW\n  norm_type: no_preprocess\n\
                calibration_parameters:\n  cal_data_dir: samples\n  calibration_type: max\n\
                compiler_parameters:\n  jobs: 1\n";
    std::fs::write(folder.join("cfg.yaml"), yaml).expect("a file");
    std::fs::create_dir(folder.join("samples")).expect("a folder");
}

/// 48 values from 0 to 255.
fn pixels() -> Vec<f32> {
    (0..48).map(|index| (index * 37 % 256) as f32).collect()
}

fn save_sample(folder: &Path, name: &str, values: &[f32]) {
    let array = Array::from_values(&[1, 3, 4, 4], values).expect("an array");
    std::fs::write(folder.join("samples").join(name), npy::encode(&array).expect("encodes")).expect("a file");
}

/// Samples that a network which normalizes by itself cannot mean.
#[test]
fn samples_that_cannot_belong_to_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_normalizing(folder);
    let compile = |values: &[f32]| {
        save_sample(folder, "only.npy", values);
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let pixels = pixels();
    let told = |values: &[f32]| text(&compile(values).stderr);
    let doubt = "which the network's own normalization makes";
    let shown = told(&pixels);
    assert!(shown.contains(doubt) && shown.contains("divide the samples by 255"), "{shown}");
    let meant: Vec<f32> = pixels.iter().map(|pixel| pixel / 255.0).collect();
    let shown = told(&meant);
    assert!(!shown.contains(doubt), "{shown}");
    for equal in [0.0, 0.5] {
        let shown = told(&[equal; 48]);
        assert!(shown.contains(&format!("input 'x': nothing but {equal} in the first 1 sample, so")), "{shown}");
    }
    let output = compile(&[f32::NAN; 48]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("only.npy: it holds NaN"), "{}", text(&output.stderr));
}

/// Samples judge themselves: where they are nothing like what a network is used for, the precision that is found says nothing, and that is told.
#[test]
fn samples_far_from_all_others_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    save_normalizing(folder);
    let compile = |factor: f32| {
        for (name, offset) in [("a.npy", 0.0), ("b.npy", 7.0)] {
            let values: Vec<f32> =
                pixels().iter().map(|pixel| (pixel / 255.0 - 0.5 + offset / 255.0) * factor).collect();
            save_sample(folder, name, &values);
        }
        run(folder, "hb_compile", &["-c", "cfg.yaml"])
    };
    let (magnitude, alike) = ("the largest magnitude in the samples is", "gives the same outputs for all samples");
    let shown = text(&compile(1.0).stderr);
    assert!(!shown.contains(magnitude) && !shown.contains(alike), "{shown}");
    let shown = text(&compile(1e30).stderr);
    assert!(shown.contains(magnitude) && shown.contains("too large") && !shown.contains(alike), "{shown}");
    let shown = text(&compile(1e-30).stderr);
    assert!(shown.contains(magnitude) && shown.contains("too small") && shown.contains(alike), "{shown}");
    // Two values, of which one is as good as infinite, are those of a mask.
    for name in ["a.npy", "b.npy"] {
        let values: Vec<f32> = (0..48).map(|index| if index % 5 == name.len() % 3 { -1e9 } else { 0.0 }).collect();
        save_sample(folder, name, &values);
    }
    let shown = text(&run(folder, "hb_compile", &["-c", "cfg.yaml"]).stderr);
    assert!(!shown.contains(magnitude), "{shown}");
    // Infinity is told by the file, not by the node where it shows.
    let mut values = pixels();
    values[5] = f32::INFINITY;
    save_sample(folder, "b.npy", &values);
    let output = run(folder, "hb_compile", &["-c", "cfg.yaml"]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown.contains("b.npy: it holds infinity, which makes the value of"), "{shown}");
}

/// Networks of one output for which random numbers of both signs, or zeros, are no numbers.
fn of_random_numbers(path: &Path, nodes: Vec<Node>, inputs: Vec<onnx::model::Value>, result: (&str, &[usize])) {
    let graph = Graph {
        name: "random".into(),
        nodes,
        inputs,
        outputs: vec![tensor(result.0, ElementType::F32, result.1)],
        initializers: vec![
            ("infinity".into(), Tensor::from_f32s(&[f32::NEG_INFINITY])),
            ("weights".into(), Tensor::from_f32s(&[0.5; 8]).reshaped(vec![8, 1]).expect("a tensor")),
        ],
        ..Graph::default()
    };
    onnx::save(&Model::new(9, 19, graph), path).expect("written");
}

#[test]
fn random_samples_suit_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let value = |element| tensor("x", element, &[4, 8]);
    let product = |of: &str| Node::new("product", "MatMul", &[of, "weights"], &["y"]);
    let check = |name: &str| run(folder, "hb_compile", &["-m", name, "--march", "nash-e"]);

    let logarithm = Node::new("log", "Log", &["x"], &["l"]);
    of_random_numbers(
        &folder.join("log.onnx"),
        vec![logarithm.clone(), product("l")],
        vec![value(ElementType::F32)],
        ("y", &[4, 1]),
    );
    // A row whose scores are all masked has no maximum.
    let masked = Node::new("masked", "Where", &["x", "scores", "infinity"], &["m"]);
    of_random_numbers(
        &folder.join("mask.onnx"),
        vec![masked, Node::new("softmax", "Softmax", &["m"], &["s"]), product("s")],
        vec![value(ElementType::Bool), tensor("scores", ElementType::F32, &[4, 8])],
        ("y", &[4, 1]),
    );
    // The only index of its axis is 0.
    of_random_numbers(
        &folder.join("index.onnx"),
        vec![Node::new("gather", "Gather", &["row", "x"], &["g"]), Node::new("turn", "Neg", &["g"], &["y"])],
        vec![tensor("x", ElementType::I64, &[4]), tensor("row", ElementType::F32, &[1, 8])],
        ("y", &[4, 8]),
    );
    for name in ["log.onnx", "mask.onnx", "index.onnx"] {
        let output = check(name);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    }

    let below = Node::new("square", "Mul", &["x", "x"], &["q"]);
    of_random_numbers(
        &folder.join("never.onnx"),
        vec![below, Node::new("turn", "Neg", &["q"], &["n"]), Node::new("root", "Sqrt", &["n"], &["r"]), product("r")],
        vec![value(ElementType::F32)],
        ("y", &[4, 1]),
    );
    let told = text(&check("never.onnx").stderr);
    assert!(
        told.contains("the value of 'root' is infinite or no number for them") && told.contains("cal_data_dir"),
        "{told}"
    );
}
