//! Predicted latencies of networks whose latency on nash-e the vendor published (see `targets/nash-e.yaml`).

use super::*;
use crate::bpu::model::{AveragePool, BpuElement, Convolution, MaxPool, Operator};
use crate::sim::machine::Machine as Simulator;
use crate::target::Target;

/// A network under construction; all activations are i8.
struct Network {
    segment: Segment,
}

impl Network {
    fn new(shape: &[usize]) -> (Self, TensorId) {
        let mut segment = Segment::default();
        let x = segment.add_input(BpuTensor::new("x", shape, BpuElement::I8, TensorScale::symmetric(0.1)));
        (Self { segment }, x)
    }

    fn node(&mut self, operator: Operator, inputs: &[TensorId]) -> TensorId {
        let shapes: Vec<&[usize]> =
            inputs.iter().map(|id| self.segment.tensor(*id).unwrap().shape.as_slice()).collect();
        let shape = crate::bpu::model::output_shape(&operator, &shapes).unwrap().unwrap();
        let name = format!("{}_{}", operator.name(), self.segment.nodes.len());
        self.segment.add_node(
            name,
            operator,
            inputs,
            BpuTensor::new("y", shape, BpuElement::I8, TensorScale::symmetric(0.1)),
        )
    }

    fn convolution(&mut self, x: TensorId, filters: usize, kernel: usize, stride: usize, depthwise: bool) -> TensorId {
        let channels = self.segment.tensor(x).unwrap().shape[3];
        let group = if depthwise { channels } else { 1 };
        let shape = [filters, kernel, kernel, channels / group];
        let data = vec![1u8; shape.iter().product()];
        let w = BpuTensor::new("w", shape, BpuElement::I8, TensorScale::symmetric(0.01)).with_data(data);
        let w = self.segment.add_tensor(w);
        let bias = BpuTensor::new("b", [filters], BpuElement::I32, TensorScale::None).with_data(vec![0u8; filters * 4]);
        let bias = self.segment.add_tensor(bias);
        let pads = [kernel / 2; 4];
        let attributes = Convolution { strides: [stride; 2], pads, group, ..Convolution::default() };
        self.node(Operator::Convolution(attributes), &[x, w, bias])
    }

    fn add(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.node(Operator::Add { clamp: None }, &[a, b])
    }

    fn global_pool(&mut self, x: TensorId) -> TensorId {
        let shape = &self.segment.tensor(x).unwrap().shape;
        let kernel = [shape[1], shape[2]];
        let pool = AveragePool { kernel, strides: [1; 2], pads: [0; 4], count_include_pad: false, clamp: None };
        self.node(Operator::AveragePool(pool), &[x])
    }

    /// Classifier on pooled features; gives the predicted microseconds.
    fn finish(mut self, x: TensorId) -> f64 {
        let pooled = self.global_pool(x);
        let y = self.convolution(pooled, 1000, 1, 1, false);
        self.segment.outputs.push(y);
        let target = Target::named("nash-e").unwrap();
        let lowered = lower(&self.segment, &target, Effort::O0.into()).unwrap();
        let simulator = Simulator::new(&lowered.program, &target).unwrap();
        simulator.check_races().unwrap();
        let report = simulator.report();
        report.seconds * 1e6
    }
}

#[test]
fn mobilenet_v2() {
    let (mut network, x) = Network::new(&[1, 224, 224, 3]);
    let mut x = network.convolution(x, 32, 3, 2, false);
    let mut channels = 32;
    let stages =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    for (expansion, filters, repeats, first_stride) in stages {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { first_stride } else { 1 };
            let wide = channels * expansion;
            let mut y = x;
            if expansion > 1 {
                y = network.convolution(y, wide, 1, 1, false);
            }
            y = network.convolution(y, wide, 3, stride, true);
            y = network.convolution(y, filters, 1, 1, false);
            x = if stride == 1 && channels == filters { network.add(x, y) } else { y };
            channels = filters;
        }
    }
    let x = network.convolution(x, 1280, 1, 1, false);
    let microseconds = network.finish(x);
    assert!((171.2..231.4).contains(&microseconds), "{microseconds} us, published are 201.3 us");
}

#[test]
fn resnet_152() {
    let (mut network, x) = Network::new(&[1, 224, 224, 3]);
    let x = network.convolution(x, 64, 7, 2, false);
    let pool = MaxPool { kernel: [3; 2], strides: [2; 2], pads: [1; 4], dilations: [1; 2] };
    let mut x = network.node(Operator::MaxPool(pool), &[x]);
    for (stage, repeats) in [3, 8, 36, 3].into_iter().enumerate() {
        let width = 64 << stage;
        for repeat in 0..repeats {
            let stride = if repeat == 0 && stage > 0 { 2 } else { 1 };
            let mut y = network.convolution(x, width, 1, 1, false);
            y = network.convolution(y, width, 3, stride, false);
            y = network.convolution(y, width * 4, 1, 1, false);
            let short = if repeat == 0 { network.convolution(x, width * 4, 1, stride, false) } else { x };
            x = network.add(short, y);
        }
    }
    let microseconds = network.finish(x);
    assert!((1896.0..2564.0).contains(&microseconds), "{microseconds} us, published are 2230 us");
}
