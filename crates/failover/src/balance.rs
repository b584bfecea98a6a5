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
    /// secondary, 256 and more all to the primary (F07-4.1-09).
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

    /// Who serves this bucket (F07-5.3-03).
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

/// Which requests a server answers beyond its own buckets, in NORMAL (F07-12.10-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Service {
    /// The assignment of this relationship.
    pub buckets: HashBucketAssignment,
    /// A client outside the own buckets is served once its `secs` is more than this many seconds. `None`: never.
    pub delayed_service: Option<u8>,
}

impl Service {
    /// Whether the server in `role` answers a client of `bucket` that says it has tried for `secs` seconds.
    /// Clients that send `secs` in the wrong byte order (a multiple of 256) are read as they meant it (F07-5.3-01).
    pub fn serves(self, role: Role, bucket: Bucket, secs: u16) -> bool {
        let secs = if secs.trailing_zeros() >= 8 { secs.swap_bytes() } else { secs };
        self.buckets.server_of(bucket) == role
            || self.delayed_service.is_some_and(|limit| secs > u16::from(limit))
    }
}

/// How the unused addresses of a pool are shared (D12-5.4-03 to -06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolRule {
    /// Per cent of the unused addresses that the secondary should have: 0 to 100.
    pub secondary_share: u8,
    /// Per cent of the unused addresses by which the secondary may have more or less than its share before anything
    /// moves without a POOLREQ: 0 to 100.
    pub misbalance: u8,
}

impl Default for PoolRule {
    /// One half, and a misbalance of 15 %: as dhcpd.
    fn default() -> PoolRule {
        PoolRule { secondary_share: 50, misbalance: 15 }
    }
}

/// The unused addresses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PoolCount {
    /// In FREE: the primary's.
    pub free: u32,
    /// In BACKUP: the secondary's.
    pub backup: u32,
}

/// Why the balance of a pool is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// The partner sent POOLREQ: it gets its full share (D12-5.4-03).
    PoolReq,
    /// The number of unused addresses changed, or time passed: small differences stay (D12-5.4-04, -05).
    Change,
}

/// How many addresses are to change sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// None.
    Nothing,
    /// From FREE to BACKUP.
    ToSecondary(u32),
    /// From BACKUP to FREE; each counts as taken back only when the secondary has accepted it (D12-5.4-06).
    ToPrimary(u32),
}

impl PoolRule {
    /// How many of the unused addresses the secondary should have; rounded down, so that an odd one is the primary's.
    /// F07-4.2-02.
    pub fn target(self, count: PoolCount) -> u32 {
        per_cent(self.secondary_share, count)
    }

    /// What the primary moves. After it was moved the answer is [`Move::Nothing`], so that a POOLREQ after each POOLRESP
    /// comes to an end (Q12).
    ///
    /// Only while both servers are in NORMAL (trap T17).
    pub fn primary_moves(self, count: PoolCount, occasion: Occasion) -> Move {
        let target = self.target(count);
        let threshold = per_cent(self.misbalance, count);
        if count.backup < target {
            let short = target - count.backup;
            return match occasion {
                Occasion::PoolReq => Move::ToSecondary(short),
                Occasion::Change if short > threshold => Move::ToSecondary(short),
                Occasion::Change => Move::Nothing,
            };
        }
        let surplus = count.backup - target;
        if surplus > threshold && occasion == Occasion::Change {
            Move::ToPrimary(surplus)
        } else {
            Move::Nothing
        }
    }

    /// What a secondary gives back to a primary of the make of dhcpd: that sends POOLREQ as well, and takes nothing back by itself
    /// (Q42).
    pub fn secondary_gives_back(self, count: PoolCount, occasion: Occasion) -> u32 {
        let surplus = count.backup.saturating_sub(self.target(count));
        match occasion {
            Occasion::Change if surplus <= per_cent(self.misbalance, count) => 0,
            Occasion::Change | Occasion::PoolReq => surplus,
        }
    }

    /// Whether a secondary sends POOLREQ again (F07-7.6-03): it is short of its share by more than the misbalance, or
    /// has none although it should have some.
    pub fn secondary_is_short(self, count: PoolCount) -> bool {
        let short = self.target(count).saturating_sub(count.backup);
        short > per_cent(self.misbalance, count) || (short > 0 && count.backup == 0)
    }
}

fn per_cent(share: u8, count: PoolCount) -> u32 {
    let all = u64::from(count.free) + u64::from(count.backup);
    u32::try_from(all * u64::from(share.min(100)) / 100).unwrap_or(u32::MAX)
}

/// How good an unused address is for moving to the server `to`: those come first whose last client that server
/// serves, then those that no client had (D12-5.4-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preference {
    /// Its last client is one of the receiver's.
    First,
    /// It never had a client, or one that is not known any more.
    Second,
    /// Its last client is one of the giver's.
    Last,
}

impl Preference {
    /// Of an address whose last client was in `last`.
    pub fn of(buckets: HashBucketAssignment, last: Option<Bucket>, to: Role) -> Preference {
        match last.map(|bucket| buckets.server_of(bucket)) {
            None => Preference::Second,
            Some(server) if server == to => Preference::First,
            Some(_) => Preference::Last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mixing_table_has_each_value_once() {
        let mut seen = [false; 256];
        for value in MIXING_TABLE {
            assert!(!std::mem::replace(&mut seen[usize::from(value)], true), "{value} is there twice");
        }
    }

    /// F07-5.3-03.
    #[test]
    fn the_hash_is_that_of_rfc_3074() {
        // RFC 3074 gives no vectors. By hand from its text: a key of one byte k hashes to T[1 ^ k], of two bytes
        // k0 k1 to T[T[2 ^ k1] ^ k0]: the last byte comes first.
        assert_eq!(Bucket::of(b""), Bucket(0));
        assert_eq!(Bucket::of(&[0]), Bucket(175), "T[1]");
        assert_eq!(Bucket::of(&[1]), Bucket(251), "T[0]");
        assert_eq!(Bucket::of(&[0, 2]), Bucket(68), "T[T[2 ^ 2] ^ 0] = T[251]");
        assert_eq!(Bucket::of(&[5, 2]), Bucket(234), "T[T[0] ^ 5] = T[254]");
        let long = [7; 300];
        let by_hand = long.iter().fold(44, |hash: u8, byte| MIXING_TABLE[usize::from(hash ^ byte)]);
        assert_eq!(Bucket::of(&long), Bucket(by_hand), "the length counts modulo 256");
    }

    /// F07-9.6.2-03.
    #[test]
    fn a_client_is_hashed_by_its_identifier_else_by_its_hardware_address() {
        let chaddr = [2, 0, 0, 0, 0, 1];
        let with_type = [1, 2, 0, 0, 0, 0, 1];
        for dialect in Dialect::ALL {
            let identified = Bucket::of_client(dialect, Some(b"id"), 1, &chaddr);
            assert_eq!(identified, Bucket::of(b"id"));
            let key = if dialect == Dialect::Draft07 { &with_type[..] } else { &chaddr[..] };
            for identifier in [None, Some(&b""[..])] {
                assert_eq!(Bucket::of_client(dialect, identifier, 1, &chaddr), Bucket::of(key));
            }
        }
        assert_eq!(Bucket::of_client(Dialect::Draft12, None, 0, &[]), Bucket(0));
    }

    /// F07-4.1-09, F07-5.3-01, -02.
    #[test]
    fn each_client_is_served_by_exactly_one_server() {
        for split in [0, 1, 127, 128, 129, 255, 256, 400] {
            let ours = HashBucketAssignment::from_split(split);
            assert_eq!(ours.split(), split.min(256));
            for dialect in Dialect::ALL {
                let theirs = HashBucketAssignment::from_wire(dialect, ours.to_wire(dialect));
                assert_eq!(ours, theirs);
            }
            for bucket in 0..=255 {
                let of = |role| {
                    Service { buckets: ours, delayed_service: Some(3) }.serves(role, Bucket(bucket), 3)
                };
                assert_eq!(of(Role::Primary), u16::from(bucket) < split);
                assert_ne!(of(Role::Primary), of(Role::Secondary));
            }
        }
    }

    /// F07-7.8.1-07, -08.
    #[test]
    fn dhcpd_has_the_bits_the_other_way_round() {
        let split = HashBucketAssignment::from_split(128);
        let mut primary_first = [0; 32];
        primary_first[..16].fill(0xff);
        assert_eq!(split.to_wire(Dialect::Dhcpd), primary_first);
        assert_eq!(split.to_wire(Dialect::Draft12), primary_first.map(|byte: u8| !byte));
        assert_eq!(
            HashBucketAssignment::from_split(1).to_wire(Dialect::Dhcpd)[0],
            1,
            "bucket 0 is the lowest bit"
        );
        assert_eq!(HashBucketAssignment::ALL_PRIMARY.split(), 256);
    }

    /// F07-12.10-01.
    #[test]
    fn a_client_that_waits_is_served_by_both() {
        let service = Service { buckets: HashBucketAssignment::ALL_PRIMARY, delayed_service: Some(3) };
        for (secs, served) in
            [(0, false), (3, false), (4, true), (u16::MAX, true), (0x0300, false), (0x0400, true)]
        {
            assert_eq!(service.serves(Role::Secondary, Bucket(0), secs), served, "{secs}");
            assert!(service.serves(Role::Primary, Bucket(0), secs));
        }
        let never = Service { delayed_service: None, ..service };
        assert!(!never.serves(Role::Secondary, Bucket(0), u16::MAX));
    }

    /// D12-5.4-08.
    #[test]
    fn addresses_go_first_to_whom_their_last_client_belongs() {
        let buckets = HashBucketAssignment::from_split(128);
        let of = |last, to| Preference::of(buckets, last, to);
        assert_eq!(of(Some(Bucket(200)), Role::Secondary), Preference::First);
        assert_eq!(of(None, Role::Secondary), Preference::Second);
        assert_eq!(of(Some(Bucket(5)), Role::Secondary), Preference::Last);
        assert_eq!(of(Some(Bucket(5)), Role::Primary), Preference::First);
        assert!(Preference::First < Preference::Second && Preference::Second < Preference::Last);
    }

    /// F07-4.2-02, F07-7.6-03, D12-5.4-05, -06.
    #[test]
    fn half_of_the_unused_addresses_go_over() {
        let rule = PoolRule::default();
        let count = |free, backup| PoolCount { free, backup };
        assert_eq!(rule.primary_moves(count(101, 0), Occasion::PoolReq), Move::ToSecondary(50));
        assert_eq!(rule.primary_moves(count(51, 50), Occasion::PoolReq), Move::Nothing);
        assert_eq!(rule.primary_moves(count(60, 40), Occasion::PoolReq), Move::ToSecondary(10));
        assert_eq!(rule.primary_moves(count(60, 40), Occasion::Change), Move::Nothing);
        assert_eq!(rule.primary_moves(count(66, 34), Occasion::Change), Move::ToSecondary(16));
        assert_eq!(rule.primary_moves(count(34, 66), Occasion::Change), Move::ToPrimary(16));
        assert_eq!(rule.primary_moves(count(34, 66), Occasion::PoolReq), Move::Nothing);
        assert_eq!(rule.primary_moves(count(1, 0), Occasion::PoolReq), Move::Nothing);
        assert_eq!(rule.primary_moves(count(0, 1), Occasion::Change), Move::ToPrimary(1));
        assert_eq!(rule.primary_moves(count(u32::MAX, u32::MAX), Occasion::PoolReq), Move::Nothing);
        assert_eq!(rule.secondary_gives_back(count(10, 30), Occasion::PoolReq), 10);
        assert_eq!(rule.secondary_gives_back(count(30, 10), Occasion::PoolReq), 0);
        assert!(rule.secondary_is_short(count(66, 34)));
        assert!(!rule.secondary_is_short(count(60, 40)));
        assert!(rule.secondary_is_short(count(8, 0)));
        assert!(!rule.secondary_is_short(count(0, 0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_move_settles_the_pool(free in 0..5000u32, backup in 0..5000u32, share in 0..=100u8, misbalance in 0..=100u8) {
            let rule = PoolRule { secondary_share: share, misbalance };
            for occasion in [Occasion::PoolReq, Occasion::Change] {
                let before = PoolCount { free, backup };
                let after = match rule.primary_moves(before, occasion) {
                    Move::Nothing => before,
                    Move::ToSecondary(moved) => PoolCount { free: free - moved, backup: backup + moved },
                    Move::ToPrimary(moved) => PoolCount { free: free + moved, backup: backup - moved },
                };
                prop_assert_eq!(rule.primary_moves(after, occasion), Move::Nothing);
                if after != before {
                    prop_assert_eq!(rule.primary_moves(after, Occasion::Change), Move::Nothing);
                    prop_assert!(!rule.secondary_is_short(after));
                }
            }
        }
    }
}
