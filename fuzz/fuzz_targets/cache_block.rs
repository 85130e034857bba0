#![no_main]
//! Any bytes: the decoder does not panic; what it accepts holds no byte that is not checked, and no more nor less than it says.

use plastron_cache::decode_block_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok((_, data)) = decode_block_file(bytes) else { return };
    assert!(data.len() <= bytes.len());
    assert!(decode_block_file(&bytes[..bytes.len() - 1]).is_err());
    // A sum of 32 bits finds every flipped one.
    let place = data.len().wrapping_mul(31) % (8 * bytes.len());
    let mut other = bytes.to_vec();
    other[place / 8] ^= 1 << (place % 8);
    assert!(decode_block_file(&other).is_err());
    other[place / 8] ^= 1 << (place % 8);
    other.push(0);
    assert!(decode_block_file(&other).is_err());
});
