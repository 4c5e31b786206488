#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| probity::wire::fuzz::op_msg(data));
