use proptest::prelude::*;

use super::*;

fn golden_id() -> ObjectId {
    ObjectId::new(
        "s3://pages at http://127.0.0.1:8333",
        "db1/täble-1.wt",
        "\"5d41402abc4b2a76b9719d911017c592\"",
        300_000,
    )
}

/// The data of block 1 of the golden object: 300,000 − 262,144 bytes.
fn golden_data() -> Vec<u8> {
    (0..37_856u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn image(id: &ObjectId, shift: u32, block: u64, data: &[u8]) -> Vec<u8> {
    let mut file = encode_header(id, id.digest(shift), shift, block, data);
    file.extend(data);
    file
}

/// Version 1, as written by the first release. If this test fails, the format changed: add a version, don't touch the file.
#[test]
fn the_golden_file_is_what_is_written_and_can_be_read() {
    let golden = include_bytes!("../../tests/fixtures/block-v1.blk");
    let (header, data) = decode_block_file(golden).unwrap();
    let id = golden_id();
    assert!(header.is(&id, id.digest(18), 18, 1, data.len()));
    assert_eq!((header.address, header.name, header.etag), (id.address(), id.name(), id.etag()));
    assert_eq!((header.object_size, header.block, header.block_shift), (300_000, 1, 18));
    assert_eq!(data, golden_data());
    assert_eq!(&image(&id, 18, 1, &golden_data())[..], golden);
}

#[test]
fn no_bit_can_be_flipped_unnoticed() {
    let id = golden_id();
    let data = &golden_data()[..33_000];
    let mut file = image(&id, 16, 0, data);
    assert!(decode_block_file(&file).is_ok());
    for place in 0..file.len() {
        for bit in 0..8 {
            file[place] ^= 1 << bit;
            assert!(decode_block_file(&file).is_err(), "bit {bit} of byte {place}");
            file[place] ^= 1 << bit;
        }
    }
}

#[test]
fn every_truncation_and_every_extension_is_noticed() {
    let mut file = image(&ObjectId::new("a", "b", "c", 9), 12, 0, &[7; 9]);
    for len in 0..file.len() {
        assert_eq!(decode_block_file(&file[..len]), Err(BlockFault::Truncated), "{len} bytes");
    }
    file.push(0);
    assert_eq!(decode_block_file(&file), Err(BlockFault::TooLong));
}

#[test]
fn a_header_with_a_good_checksum_may_still_lie() {
    let good = image(&ObjectId::new("address", "name", "etag", 50_000), 16, 0, &[1; 50_000]);
    let end = BlockHeader::decode(&good).unwrap().header_bytes - 4;
    let lies: [(usize, &[u8], BlockFault); 9] = [
        (8, &2u16.to_le_bytes(), BlockFault::Version(2)),
        (10, &[30], BlockFault::Header("block or chunk size")),
        (11, &[16], BlockFault::Header("block or chunk size")),
        (16, &0u32.to_le_bytes(), BlockFault::Header("length of the data")),
        (16, &u32::MAX.to_le_bytes(), BlockFault::Header("length of the data")),
        (20, &u16::MAX.to_le_bytes(), BlockFault::Header("lengths of its parts")),
        (28, &u32::MAX.to_le_bytes(), BlockFault::Header("lengths of its parts")),
        (64, &[0xff], BlockFault::Header("a name is not UTF-8")),
        (end - 1, &[1], BlockFault::Header("padding")),
    ];
    for (at, bytes, fault) in lies {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let checksum = crc32c::crc32c(&file[..end]);
        file[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(decode_block_file(&file), Err(fault), "{bytes:?} at {at}");
    }
    let mut file = good;
    file[12..16].copy_from_slice(&7u32.to_le_bytes());
    assert_eq!(decode_block_file(&file), Err(BlockFault::Header("its length")));
    assert_eq!(decode_block_file(b"not a cache file at all"), Err(BlockFault::Magic));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        address in ".{0,40}", name in ".{1,200}", etag in ".{0,40}",
        shift in 12u32..=17, block in 0u64..1 << 40, seed: u8, len in 1usize..1 << 17,
    ) {
        let data: Vec<u8> = (0..len.min(1 << shift)).map(|n| (n as u8).wrapping_mul(seed | 1)).collect();
        let id = ObjectId::new(address, name, etag, u64::MAX);
        let file = image(&id, shift, block, &data);
        let (header, read) = decode_block_file(&file).unwrap();
        prop_assert_eq!(read, &data[..]);
        prop_assert!(header.is(&id, id.digest(shift), shift, block, data.len()));
        prop_assert!(!header.is(&id, id.digest(shift), shift, block + 1, data.len()));
        prop_assert_eq!(header.header_bytes, header_bytes(identity_bytes(&id), data.len()));
    }

    #[test]
    fn parts_verify_like_the_whole(len in 1usize..200_000, at in 0usize..200_000, want in 1usize..100_000, flip in 0usize..200_000) {
        let mut data: Vec<u8> = (0..len).map(|n| ((n * 31) >> 3) as u8).collect();
        let id = ObjectId::new("a", "b", "c", len as u64);
        let header = encode_header(&id, 1, 18, 0, &data);
        let header = BlockHeader::decode(&header).unwrap();
        let within = at % len..(at % len + want).min(len);
        let chunks = chunks_around(&within, len);
        prop_assert!(chunks.start <= within.start && chunks.end >= within.end);
        prop_assert!(header.verify(chunks.start, &data[chunks.clone()]).is_ok());
        data[flip % len] ^= 16;
        prop_assert_eq!(header.verify(chunks.start, &data[chunks.clone()]).is_err(), chunks.contains(&(flip % len)));
        prop_assert!(header.verify(chunks.start, &vec![0; len + 40_000]).is_err());
    }

    #[test]
    fn garbage_is_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), dressed: bool) {
        if dressed {
            bytes.splice(..0, MAGIC.into_iter().chain(VERSION.to_le_bytes()));
        }
        prop_assert!(decode_block_file(&bytes).is_err());
    }
}
