//! Who serves which client, and how many unused addresses each server holds.
//!
//! *Lives here:* the hash of RFC 3074, [`HashBucketAssignment`], the rule of `secs`, and [`PoolRule`]: how many
//! addresses to move.
//! *May know:* F07 5.3, 7.6, 7.7, 9.6.2; draft-12 5.4 (tables 1.13 and 1.17 of the catalogue).
//! *Must not know:* which addresses there are; it counts them.

use crate::dialect::{Dialect, HardwareKey};
use crate::state::Role;

/// The mixing table of RFC 3074 section 6: each value once.
#[rustfmt::skip]
const MIXING_TABLE: [u8; 256] = [
    251, 175, 119, 215,  81,  14,  79, 191, 103,  49, 181, 143, 186, 157,   0, 232,
     31,  32,  55,  60, 152,  58,  17, 237, 174,  70, 160, 144, 220,  90,  57, 223,
     59,   3,  18, 140, 111, 166, 203, 196, 134, 243, 124,  95, 222, 179, 197,  65,
    180,  48,  36,  15, 107,  46, 233, 130, 165,  30, 123, 161, 209,  23,  97,  16,
     40,  91, 219,  61, 100,  10, 210, 109, 250, 127,  22, 138,  29, 108, 244,  67,
    207,   9, 178, 204,  74,  98, 126, 249, 167, 116,  34,  77, 193, 200, 121,   5,
     20, 113,  71,  35, 128,  13, 182,  94,  25, 226, 227, 199,  75,  27,  41, 245,
    230, 224,  43, 225, 177,  26, 155, 150, 212, 142, 218, 115, 241,  73,  88, 105,
     39, 114,  62, 255, 192, 201, 145, 214, 168, 158, 221, 148, 154, 122,  12,  84,
     82, 163,  44, 139, 228, 236, 205, 242, 217,  11, 187, 146, 159,  64,  86, 239,
    195,  42, 106, 198, 118, 112, 184, 172,  87,   2, 173, 117, 176, 229, 247, 253,
    137, 185,  99, 164, 102, 147,  45,  66, 231,  52, 141, 211, 194, 206, 246, 238,
     56, 110,  78, 248,  63, 240, 189,  93,  92,  51,  53, 183,  19, 171,  72,  50,
     33, 104, 101,  69,   8, 252,  83, 120,  76, 135,  85,  54, 202, 125, 188, 213,
     96, 235, 136, 208, 162, 129, 190, 132, 156,  38,  47,   1,   7, 254,  24,   4,
    216, 131,  89,  21,  28, 133,  37, 153, 149,  80, 170,  68,   6, 169, 234, 151,
];

/// A hash bucket: 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u8);

impl Bucket {
    /// The bucket of a key: Pearson's hash, which starts with the length of the key (modulo 256) and goes from its last
    /// byte to its first (RFC 3074 section 6).
    pub fn of(key: &[u8]) -> Bucket {
        Bucket::of_parts(&[], key)
    }

    /// The bucket of a client: by its client-identifier, or without one (an empty one is none) by its hardware
    /// address, with htype in front where the dialect wants it (F07-9.6.2-03).
    pub fn of_client(dialect: Dialect, client_identifier: Option<&[u8]>, htype: u8, chaddr: &[u8]) -> Bucket {
        match (client_identifier, dialect.hardware_key()) {
            (Some(identifier), _) if !identifier.is_empty() => Bucket::of(identifier),
            (_, HardwareKey::Address) => Bucket::of(chaddr),
            (_, HardwareKey::TypeAndAddress) => Bucket::of_parts(&[htype], chaddr),
        }
    }

    fn of_parts(first: &[u8], rest: &[u8]) -> Bucket {
        let length = (first.len() + rest.len()).to_le_bytes()[0];
        let bytes = rest.iter().rev().chain(first.iter().rev());
        Bucket(bytes.fold(length, |hash, byte| MIXING_TABLE[usize::from(hash ^ byte)]))
    }
}

/// Which server serves which buckets in NORMAL: one bit for each, set where the *secondary* serves (F07-7.8.1-08,
/// D12 12.11). Bucket b is bit `1 << (b % 8)` of byte b / 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashBucketAssignment([u8; 32]);

impl HashBucketAssignment {
    /// No bucket for the secondary: load balancing is off (F07-7.8.1-07).
    pub const ALL_PRIMARY: HashBucketAssignment = HashBucketAssignment([0; 32]);

    /// `split` buckets for the primary, from bucket 0 upwards, and the rest for the secondary. 0 gives all to the
    /// secondary, 256 and more all to the primary.
    pub fn from_split(split: u16) -> HashBucketAssignment {
        let mut bits = [0; 32];
        for bucket in split..256 {
            bits[usize::from(bucket / 8)] |= 1 << (bucket % 8);
        }
        HashBucketAssignment(bits)
    }

    /// From the option, whose bits mean what the dialect says (Q4).
    pub fn from_wire(dialect: Dialect, bytes: [u8; 32]) -> HashBucketAssignment {
        HashBucketAssignment(in_sense_of(dialect, bytes))
    }

    /// The value of the option (Q4).
    pub fn to_wire(self, dialect: Dialect) -> [u8; 32] {
        in_sense_of(dialect, self.0)
    }

    /// The bits as they are kept on disk: set where the secondary serves.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// From what [`HashBucketAssignment::to_bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 32]) -> HashBucketAssignment {
        HashBucketAssignment(bytes)
    }

    /// Who serves this bucket.
    pub const fn server_of(self, bucket: Bucket) -> Role {
        if self.0[(bucket.0 / 8) as usize] & (1 << (bucket.0 % 8)) == 0 {
            Role::Primary
        } else {
            Role::Secondary
        }
    }

    /// How many buckets the primary serves.
    pub fn split(self) -> u16 {
        let secondary: u32 = self.0.iter().map(|byte| byte.count_ones()).sum();
        256 - u16::try_from(secondary).unwrap_or(256)
    }
}

fn in_sense_of(dialect: Dialect, bits: [u8; 32]) -> [u8; 32] {
    match dialect.set_bucket_serves() {
        Role::Secondary => bits,
        Role::Primary => bits.map(|byte| !byte),
    }
}
