//! What an ONNX file may try: outside files, wrong sizes, wrong encodings, wrong versions. Each is an error that names it.

use std::fs;
use std::path::Path;

use hb::frontend::onnx::{self, OnnxError};

/// Field `number` of a protobuf message: length-delimited.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(content.len() as u64));
    field.extend_from_slice(content);
    field
}

/// Field `number`, up to 31: a number.
fn number(number: u64, value: i64) -> Vec<u8> {
    [varint(number << 3), varint(value as u64)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    while value >= 0x80 {
        field.push(value as u8 | 0x80);
        value >>= 7;
    }
    field.push(value as u8);
    field
}

/// ValueInfoProto of a float tensor of unknown shape.
fn value(name: &str) -> Vec<u8> {
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &number(1, 1)))].concat()
}

fn node(operator: &str, input: &str, output: &str) -> Vec<u8> {
    [bytes(1, input.as_bytes()), bytes(2, output.as_bytes()), bytes(4, operator.as_bytes())].concat()
}

/// `y = Relu(x)`, IR version 8, with these further fields of the graph.
fn model(graph: &[u8], opset: i64) -> Vec<u8> {
    let own = [bytes(1, &node("Relu", "x", "y")), bytes(2, b"g"), bytes(11, &value("x")), bytes(12, &value("y"))];
    let graph = [own.concat(), graph.to_vec()].concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, opset))].concat()
}

fn read(bytes: Vec<u8>, folder: Option<&Path>) -> Result<onnx::model::Model, OnnxError> {
    onnx::from_bytes(bytes.into(), folder)
}

/// A model with one initializer of these fields beyond its name.
fn with_tensor(fields: &[Vec<u8>]) -> Vec<u8> {
    model(&bytes(5, &[bytes(8, b"w"), fields.concat()].concat()), 13)
}

fn message(bytes: Vec<u8>) -> String {
    read(bytes, None).unwrap_err().to_string()
}

#[test]
fn versions_outside_the_range_are_named() {
    assert!(read(model(&[], 1), None).is_ok());
    assert!(read(model(&[], 27), None).is_ok());
    for opset in [0, 28, -1, i64::MAX] {
        let text = message(model(&[], opset));
        assert_eq!(
            text,
            format!("the model uses opset {opset}, supported are 1 to 27; export it again with one of these")
        );
    }
    let mut old = model(&[], 13);
    old[1] = 2;
    assert_eq!(message(old), "the model has IR version 2, supported are 3 to 13");
    assert_eq!(message(number(1, 8)), "the model does not say which opset of the default domain it uses");
    assert_eq!(message([number(1, 8), bytes(8, &number(2, 13))].concat()), "the model has no graph");
}

#[test]
fn initializers_are_inputs_before_ir_version_4() {
    let tensor = bytes(5, &[bytes(8, b"w"), number(2, 1), bytes(9, &[0; 4])].concat());
    let old = |graph: &[u8]| {
        let mut bytes = model(graph, 8);
        bytes[1] = 3;
        bytes
    };
    assert!(message(old(&tensor)).contains("initializer \"w\" is not an input, which IR version 3 demands"));
    let model = read(old(&[tensor, bytes(11, &value("w"))].concat()), None).unwrap();
    assert_eq!(model.graph.inputs.len(), 1);
    assert_eq!(model.graph.initializers.len(), 1);
}

#[test]
fn sizes_of_tensors_are_checked_before_they_are_used() {
    let dims = |sizes: &[i64]| sizes.iter().flat_map(|size| number(1, *size)).collect::<Vec<u8>>();
    let float = number(2, 1);
    let cases = [
        (vec![dims(&[2]), float.clone(), bytes(9, &[0; 7])], "needs 8 bytes, 7 are given"),
        (vec![dims(&[1 << 62, 4]), float.clone()], "has too many elements"),
        (vec![dims(&[0, 1 << 62, 4]), float.clone()], "has too many elements"),
        (vec![dims(&[1 << 40]), float.clone()], "are given"),
        (vec![dims(&[-1]), float.clone()], "dimension -1 is negative"),
        (vec![dims(&[1; 65]), float.clone(), bytes(9, &[0; 4])], "65 dimensions"),
        (vec![dims(&[1]), float.clone(), bytes(9, &[0; 4]), bytes(4, &[0; 4])], "both raw_data and a typed list"),
        (vec![dims(&[1]), float.clone(), bytes(5, &[0])], "FLOAT values belong in float_data, not int32_data"),
        (vec![dims(&[1]), number(2, 3), bytes(5, &varint(200))], "value 200 does not fit its element type"),
        (vec![dims(&[1]), number(2, 17), bytes(9, &[0; 1])], "element type FLOAT8E4M3FN is not supported"),
        (vec![dims(&[1]), number(2, 8), bytes(6, b"s")], "element type STRING is not supported"),
        (vec![dims(&[1]), bytes(9, &[0; 4])], "the element type is not given"),
    ];
    for (fields, expected) in cases {
        let text = message(with_tensor(&fields));
        assert!(text.starts_with("tensor \"w\": ") && text.contains(expected), "{text}");
    }
}

fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries = entries
        .iter()
        .flat_map(|(key, value)| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat()));
    with_tensor(&[number(1, 2), number(2, 1), number(14, 1), entries.collect()])
}

#[test]
fn external_data_is_read_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("model");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), [0; 64]).unwrap();
    fs::write(inside.join("weights"), (0..16).collect::<Vec<u8>>()).unwrap();
    std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
    std::os::unix::fs::symlink("..", inside.join("up")).unwrap();

    let good = read(external(&[("location", "weights"), ("offset", "4"), ("length", "8")]), Some(&inside)).unwrap();
    assert_eq!(&good.graph.initializers[0].1.data()[..], [4, 5, 6, 7, 8, 9, 10, 11]);
    assert!(read(external(&[("location", "./weights")]), Some(&inside)).is_ok());

    let absolute = inside.join("weights").to_str().unwrap().to_owned();
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("location", "../secret")], "must be a path inside the folder"),
        (&[("location", "sub/../../secret")], "must be a path inside the folder"),
        (&[("location", &absolute)], "must be a path inside the folder"),
        (&[("location", "")], "must be a path inside the folder"),
        (&[("location", "link")], "leads out of the folder"),
        (&[("location", "up/secret")], "leads out of the folder"),
        (&[("location", "absent")], "does not exist in the folder of the model"),
        (&[("location", ".")], "not a regular file"),
        (&[("offset", "0")], "without a location"),
        (&[("location", "weights"), ("offset", "17")], "offset 17 is beyond the end"),
        (&[("location", "weights"), ("offset", "12")], "has 4 bytes after 12, 8 are needed"),
        (&[("location", "weights"), ("length", "4")], "has 4 bytes, its type and shape need 8"),
    ];
    for (entries, expected) in cases {
        let text = read(external(entries), Some(&inside)).unwrap_err().to_string();
        assert!(text.starts_with("tensor \"w\": ") && text.contains(expected), "{entries:?}: {text}");
    }
    assert!(message(external(&[("location", "weights")])).contains("only when the model is read from a file"));
    let text = read(external(&[("location", "weights"), ("offset", "-1")]), Some(&inside)).unwrap_err().to_string();
    assert!(text.contains("offset \"-1\" is not a number"), "{text}");
}

#[test]
fn unsupported_operators_are_listed_together() {
    let nodes = [("NoSuch", "a"), ("Other", "b"), ("NoSuch", "c")].map(|(name, out)| bytes(1, &node(name, "x", out)));
    let model = read(model(&nodes.concat(), 13), None).unwrap();
    let text = onnx::normalize::normalize(&hb_dialects::context(), model).unwrap_err().to_string();
    let expected = "2 operator(s) of the model are not supported (docs/operators.md lists those that are):\n  NoSuch: NoSuch_1, NoSuch_3\n  Other: Other_2";
    assert_eq!(text, expected);
}

#[test]
fn every_obstacle_is_told_at_once() {
    let nodes = [("NoSuch", "x", "a"), ("Relu", "a", "b"), ("MatMul", "x", "c"), ("Relu", "c", "d"), ("Add", "x", "e")]
        .map(|(operator, input, output)| bytes(1, &node(operator, input, output)));
    let import = |shapes: &[(&str, &[usize])]| {
        let input_shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
        let model = read(model(&nodes.concat(), 13), None).unwrap();
        let context = hb_dialects::context();
        onnx::import(&context, model, &onnx::ImportOptions { input_shapes }).map(|_| ()).unwrap_err().to_string()
    };
    let text = import(&[("x", &[2, 3])]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "1 operator(s) of the model are not supported (docs/operators.md lists those that are):",
            "  NoSuch: NoSuch_1"
        ]
    );
    assert!(lines[2].starts_with("node 'MatMul_3' (MatMul): ") && lines[3].starts_with("node 'Add_5' (Add): "));
    assert_eq!(lines.len(), 4, "what only follows from these is not told: {text}");
    // Nodes are not judged without the shapes of their inputs.
    let text = import(&[]);
    assert!(text.contains("NoSuch_1") && text.contains("input \"x\": it has no shape; give its sizes"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn files_that_are_not_models_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(onnx::load(&folder.path().join("absent.onnx")).unwrap_err().to_string().contains("there is no such file"));
    assert!(onnx::load(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    let text = folder.path().join("text.onnx");
    fs::write(&text, "name: \"a prototxt\"").unwrap();
    assert!(matches!(onnx::load(&text), Err(OnnxError::Malformed { .. })));
    let empty = folder.path().join("empty.onnx");
    fs::write(&empty, "").unwrap();
    assert!(onnx::load(&empty).is_err());
}

/// Sequences and the like are refused at the outputs, too; a type that is left empty is inferred.
#[test]
fn what_is_no_tensor_is_refused() {
    let typed = |kind: &[u8]| bytes(12, &[bytes(1, b"s"), bytes(2, kind)].concat());
    for number in [4, 5, 8, 9] {
        let text = message(model(&typed(&bytes(number, &[])), 13));
        assert!(text.contains("output \"s\": only tensors are supported"), "{number}: {text}");
    }
    // What it then lacks is somebody who computes it.
    let untyped = read(model(&typed(&[]), 13), None).map(|_| ()).map_err(|error| error.to_string());
    assert!(untyped.err().is_none_or(|text| !text.contains("only tensors are supported")));
}
