/** Mutates valid texts. */
import * as fc from 'fast-check'

/** The factor for the runs of every fuzz test, which the weekly workflow sets. */
const FACTOR = Number(process.env['FUZZ_FACTOR'] ?? 1)

/** Returns fast-check's options. CI has a fixed seed, so that its runs are equal. The weekly workflow has a new seed, and prints it on failure. */
export const fuzzRuns = (numRuns: number) => ({
  numRuns: numRuns * FACTOR,
  seed: FACTOR === 1 ? 20_261_124 : Math.trunc(Math.random() * 2 ** 31),
})

/** Creates texts with up to six mutations of a valid text. A mutation replaces characters by one of `pieces`, or by any text. */
export function mutated(valid: string, pieces: readonly string[]): fc.Arbitrary<string> {
  const splice = fc.record({
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.oneof(fc.constant(0), fc.nat(12), fc.nat(80)),
    piece: fc.oneof(fc.constantFrom('', ...pieces), fc.string({ unit: 'binary', maxLength: 1 })),
  })
  return fc.array(splice, { maxLength: 6 }).map((splices) =>
    splices.reduce((text, { share, length, piece }) => {
      const at = Math.floor(share * text.length)
      return text.slice(0, at) + piece + text.slice(at + length)
    }, valid),
  )
}
