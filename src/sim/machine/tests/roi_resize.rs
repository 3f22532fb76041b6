//! Regions of planes in DDR.

use super::*;

/// Four cells apart by 16 in a row, by 4 from row to row: 128 and on.
fn plane() -> Vec<u8> {
    (0..16).map(|cell| (128 + cell % 4 * 16 + cell / 4 * 4) as u8).collect()
}

/// The whole plane to 2x4: rows are the means of two. On paper: 0 + 2, 16 + 2; 0 + 10, 16 + 10.
#[test]
fn a_tile_of_a_resized_region() {
    let memory = |region: [i32; 4]| image(&[(0, plane()), (REGION, i32s(&region))]);
    let run = |operation: RoiResize, region| as_i8(&execute(operation, &memory(region))[2048..2052]);
    assert_eq!(run(resize(), [0, 0, 4, 4]), [2, 18, 10, 26]);
    let right = RoiResize { start: [0, 2], ..resize() };
    assert_eq!(run(right, [0, 0, 4, 4]), [34, 50, 42, 58]);
    // Cells of 2x2 pixels: the right lower one alone.
    let corner = RoiResize { block: 2, plane_shape: [2, 2, 1], ..resize() };
    assert_eq!(run(corner, [2, 2, 4, 4]), [20, 20, 20, 20]);
}

#[test]
fn regions_that_are_none_stop_the_program() {
    let message = |region: [i32; 4]| {
        let memory = image(&[(0, plane()), (REGION, i32s(&region))]);
        try_execute(resize(), &memory).unwrap_err().to_string()
    };
    for region in [[0, 0, 5, 4], [0, 0, 4, 5], [-1, 0, 4, 4], [0, i32::MIN, 4, i32::MAX]] {
        let message = message(region);
        assert!(
            message.contains("aae.roi_resize, of node") && message.contains("not inside of the picture"),
            "{message}"
        );
    }
    for region in [[0, 0, 0, 4], [3, 0, 1, 4], [0, 2, 4, 2]] {
        assert!(message(region).contains("is empty"));
    }
}

#[test]
fn instructions_that_do_not_hold_together_are_refused() {
    let refused = |operation: RoiResize, reason: &str| {
        let program = Program { inputs: vec![L1M as u64], ..program(vec![instruction(operation, &[])]) };
        let error = Machine::new(&program, &target()).err().unwrap().to_string();
        assert!(error.contains(reason), "{error} is not {reason}");
    };
    refused(RoiResize { block: 3, ..resize() }, "block is 3, not 1 or 2");
    refused(RoiResize { plane_shape: [0, 4, 1], ..resize() }, "rows of the plane: 0, not 1 to 65536");
    refused(RoiResize { plane_shape: [4, 1 << 31, 1], block: 2, ..resize() }, "columns of the plane");
    refused(RoiResize { size: [2, 1 << 17], ..resize() }, "columns of the result: 131072, not 1 to 65536");
    refused(RoiResize { start: [0, 3], ..resize() }, "2 cells from 3 on along axis 1 are not in a result of 4");
    refused(RoiResize { start: [u32::MAX, 0], ..resize() }, "along axis 0");
    refused(
        RoiResize { output_shape: [2, 2, 2], output: View::new(2048, [4, 2, 1]), ..resize() },
        "differ in channels",
    );
    refused(RoiResize { output: View::new(2048, [0, 1, 1]), ..resize() }, "share bytes");
    let plane = DdrView { offset: L1M as u64 - 15, ..resize().plane };
    refused(RoiResize { plane, ..resize() }, "plane covers bytes");
    let region = DdrView { offset: L1M as u64 - 12, ..resize().region };
    refused(RoiResize { region, ..resize() }, "region covers bytes");
}

/// 8 bytes to weigh, 4 rows of 4 bytes to read, each a whole burst of the port that LOAD and STORE use, too.
#[test]
fn what_it_reads_takes_the_port() {
    let target = target();
    let cost = Operation::from(resize()).cost(&target);
    let burst = target.ddr.burst_bytes.value;
    assert_eq!((cost.ddr_bytes, cost.ddr_cycles), (16, target.ddr_cycles(u128::from(4 * burst))));
    assert_eq!(cost.engine_cycles, target.pool_cycles(16));
    let (program, target) = (everything(), self::target());
    let machine = Machine::new(&program, &target).unwrap();
    // Beside what LOAD reads.
    assert_eq!(machine.report().ddr_bytes_loaded, L1M as u64 + 16);
}
