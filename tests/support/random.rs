//! Randomness that can be run again: the seed is printed, and `VSA_TEST_SEED` sets it.

/// A small generator (SplitMix64, Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    /// Seeded by `VSA_TEST_SEED`, else by the clock; prints the seed.
    pub fn from_environment() -> Self {
        let given = std::env::var("VSA_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::from(since.unwrap().subsec_nanos())
        });
        eprintln!("VSA_TEST_SEED={seed}");
        Self(seed)
    }

    /// Of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A text of hexadecimal digits that stands nowhere else.
    pub fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}
