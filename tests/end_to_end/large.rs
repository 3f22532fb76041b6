//! A network whose layers are far larger than L1M (4 MiB) in every dimension: images of 25 MB at one byte per value, 4096 channels
//! in and out with weights of 16 MiB, kernels of 31x31 cells that alone fill L1M twice.
//!
//! Strides keep the number of products near 3e9, so that the reference interpreter is done in seconds.

use super::{compile_text, open_model, run};
use hb::cpu::Array;
use hb::frontend::onnx;
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
use hb::frontend::onnx::tensor::Tensor;
use hb::sim::open::{Detail, OpenOptions, open};
use hb_dialects::ElementType;
use std::time::Instant;

/// Numbers in [-1, 1) that repeat for a seed (xorshift), as bytes of f32.
fn numbers(seed: u64, count: usize, magnitude: f32) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(4 * count);
    for _ in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let value = (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        bytes.extend_from_slice(&(value * magnitude).to_le_bytes());
    }
    bytes
}

fn value(name: &str, shape: Option<&[usize]>) -> Value {
    let shape = shape.map(|shape| shape.iter().map(|size| Dimension::Fixed(*size)).collect());
    Value { name: name.to_owned(), element: Some(ElementType::F32), shape }
}

#[derive(Default)]
struct Builder {
    graph: Graph,
}

impl Builder {
    /// Every node's result has the node's name.
    fn add(&mut self, name: &str, operator: &str, inputs: &[&str], attributes: &[(&str, &[i64])]) {
        let mut node = Node::new(name, operator, inputs, &[name]);
        for (key, values) in attributes {
            node.set_attribute(key, Attribute::Ints(values.to_vec()));
        }
        self.graph.nodes.push(node);
    }

    /// A square convolution that keeps the magnitude of its values.
    fn convolution(
        &mut self,
        name: &str,
        input: &str,
        [channels_in, channels_out]: [usize; 2],
        kernel: usize,
        stride: i64,
    ) {
        let weight = format!("{name}/weight");
        let shape = vec![channels_out, channels_in, kernel, kernel];
        let count: usize = shape.iter().product();
        let magnitude = (3.0 / (channels_in * kernel * kernel) as f32).sqrt();
        let data = numbers(self.graph.initializers.len() as u64, count, magnitude);
        let tensor = Tensor::new(ElementType::F32, shape, data.into()).unwrap();
        self.graph.initializers.push((weight.clone(), tensor));
        let pad = (kernel as i64 - 1) / 2;
        self.add(name, "Conv", &[input, &weight], &[("strides", &[stride; 2]), ("pads", &[pad; 4])]);
    }
}

const IMAGE: [usize; 4] = [1, 3, 2160, 3840];

fn network() -> Model {
    let mut builder = Builder::default();
    builder.graph.name = "large".to_owned();
    builder.graph.inputs.push(value("image", Some(&IMAGE)));
    builder.convolution("stem", "image", [3, 8], 3, 2); // 8x1080x1920
    builder.add("stem/Relu", "Relu", &["stem"], &[]);
    builder.convolution("wide", "stem/Relu", [8, 16], 31, 16); // 16x68x120
    builder.add("wide/Relu", "Relu", &["wide"], &[]);
    builder.convolution("heavy", "wide/Relu", [16, 512], 31, 16); // 512x5x8, weights of 7.9 MB
    builder.convolution("expand", "heavy", [512, 4096], 1, 1); // 4096x5x8
    builder.convolution("mix", "expand", [4096, 4096], 1, 1); // weights of 16.8 MB
    builder.convolution("fan", "wide/Relu", [16, 4096], 1, 1); // 4096x68x120: 33 MB
    let window: [(&str, &[i64]); 3] = [("kernel_shape", &[31; 2]), ("strides", &[16; 2]), ("pads", &[15; 4])];
    builder.add("pool", "MaxPool", &["fan"], &window); // 4096x5x8; a row of windows reads 15 MB
    builder.add("sum", "Add", &["mix", "pool"], &[]);
    builder.add("mean", "GlobalAveragePool", &["sum"], &[]);
    builder.graph.outputs.extend([value("sum", None), value("mean", None)]);
    Model { producer_name: "tests/end_to_end".to_owned(), ..Model::new(9, 17, builder.graph) }
}

const CONFIGURATION: &str = "\
model_parameters:
  onnx_model: 'large.onnx'
  march: 'nash-e'
  working_dir: './out'
  output_model_file_prefix: 'large'
input_parameters:
  input_name: 'image'
  input_type_train: 'featuremap'
  input_type_rt: 'featuremap'
  input_layout_train: 'NCHW'
calibration_parameters:
  calibration_type: 'skip'
compiler_parameters:
";

/// Prints how long a step took, for the closing note.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = work();
    eprintln!("{what}: {:.1} s", begin.elapsed().as_secs_f64());
    result
}

#[test]
fn layers_far_larger_than_local_memory() {
    let folder = tempfile::tempdir().unwrap();
    timed("making the network", || onnx::save(&network(), &folder.path().join("large.onnx")).unwrap());
    timed("compiling", || compile_text(folder.path(), CONFIGURATION, 2).unwrap());
    let path = |ending: &str| folder.path().join(format!("out/large{ending}"));
    let values = numbers(99, IMAGE.iter().product(), 1.0);
    let image = Array::from_bytes(ElementType::F32, &IMAGE, &values).unwrap();
    let interpreted = timed("interpreter", || run(&open_model(&path("_quantized_model.bc")), &image));
    let races = OpenOptions { detail: Detail::Races, ..OpenOptions::default() };
    let simulator = timed("opening the .hbm, races checked", || open(&path(".hbm"), &races).unwrap());
    let simulated = timed("simulator", || run(&simulator, &image));
    assert_eq!(simulated.len(), 2);
    for (index, (found, expected)) in simulated.iter().zip(&interpreted).enumerate() {
        assert!(found == expected, "output {index}");
        let distinct: std::collections::BTreeSet<&[u8; 4]> = found.as_bytes().as_chunks::<4>().0.iter().collect();
        assert!(distinct.len() > 20, "the test shows little: output {index} has {} values", distinct.len());
    }
}
