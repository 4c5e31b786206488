#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| probity::store::bundle::fuzz(data));
