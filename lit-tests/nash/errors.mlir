// One expected error per branch of the verifiers of `nash`; what `nash::isa` checks has its tests there.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op unknown target 'nash-x'}}
  nash.program(%x) on "nash-x" inputs [#nash.port<"x", 64, [4]>] outputs [] workspace 0 names [] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op override 'local_memory.bytes' is not of the form field=value}}
  nash.program(%x) on "nash-e" with ["local_memory.bytes"] inputs [#nash.port<"x", 64, [4]>] outputs [] workspace 0 names [] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op 2 operators, 1 lists of origins and 1 numbers of operations are given for 1 names}}
  nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [] workspace 0 names ["a"] origins [["a"]] operators ["a", "b"] operations [0] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op -1 operations are less than none}}
  nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [] workspace 0 names ["a"] origins [["a"]] operators ["a"] operations [-1] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op inputs has 2 ports for 1 tensors}}
  nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>, #nash.port<"y", 64, [4]>] outputs [] workspace 0 names [] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op inputs holds #nash.port<"x", 64, [64, 4]>, no port of tensor<16xi32>}}
  nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [64, 4]>] outputs [] workspace 0 names [] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<16xi32>) {
  // expected-error @+1 {{'nash.program' op port 'x' takes 124 bytes, its region has 64}}
  nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [8]>] outputs [] workspace 0 names [] {
  } : (tensor<16xi32>) -> ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'nash.program' op workspace is -1}}
  nash.program() on "nash-e" inputs [] outputs [] workspace -1 names [] {
  } : () -> ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'nash.program' op workspace has 34359738369 bytes, more than 34359738368}}
  nash.program() on "nash-e" inputs [] outputs [] workspace 34359738369 names [] {
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names [] {
    // expected-error @+1 {{'arith.constant' op 'arith.constant' is no instruction}}
    %c = arith.constant 0 : i32
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op field 'shape' has too few numbers}}
    nash.dte.fill node 0 shape [4, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op field 'destination' has 1 numbers too many}}
    nash.dte.fill node 0 shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op field 'value' has -1, which is not in the range of u32}}
    nash.dte.fill node 0 shape [1, 1, 1, 1, 1, 4] element_bytes 1 value -1 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op field 'node' has -1}}
    nash.dte.fill node -1 shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op waits for -1 instructions of load}}
    nash.dte.fill node 0 wait [load -1] shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{unknown engine 'gpu'}}
    nash.dte.fill node 0 wait [gpu 1] shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

// What the machine cannot do is an error at the instruction: here it reaches behind the memory of the target.
func.func @f() {
  nash.program() on "nash-e" with ["local_memory.bytes=4096"] inputs [] outputs [] workspace 0 names ["n"] {
    // expected-error @+1 {{'nash.dte.fill' op destination covers bytes 4094 to 4098 of l1m, which has 4096}}
    nash.dte.fill node 0 shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <4094, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'nash.dte.fill' op expects parent op 'nash.program'}}
  nash.dte.fill node 0 shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  return
}
