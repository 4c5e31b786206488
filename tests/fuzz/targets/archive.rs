#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| probity::collect::export::archive::fuzz(data));
