//! Choices out of a fuzzer's bytes. When they are used up, the rest is zeros.

/// Bytes, taken one after another.
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Begins at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Input { rest: bytes }
    }

    /// True when all is used up.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => 0,
        }
    }

    /// The next bytes, of a number that the compiler knows.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// The next `count` bytes, or what is left.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// One of these.
    ///
    /// # Panics
    /// For none.
    pub fn one_of<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.below(all.len())]
    }

    /// Bytes of a length that the input chooses: mostly short.
    pub fn some_bytes(&mut self) -> &'a [u8] {
        let length = match self.byte() {
            short @ 0..=239 => usize::from(short % 24),
            _ => 64 * self.below(16),
        };
        self.bytes(length)
    }

    /// Text of a length that the input chooses.
    pub fn some_text(&mut self) -> String {
        String::from_utf8_lossy(self.some_bytes()).into_owned()
    }
}
