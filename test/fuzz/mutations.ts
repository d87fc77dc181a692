/** Mutates valid texts: cuts, repeats, replaces and inserts pieces. */
import * as fc from 'fast-check'

/** Multiplies the runs of every fuzz test: set in the weekly workflow. */
const FACTOR = Number(process.env['FUZZ_FACTOR'] ?? 1)

/** Returns fast-check's options: one seed in CI, so that a run repeats; another each week, printed on failure. */
export const fuzzRuns = (numRuns: number) => ({
  numRuns: numRuns * FACTOR,
  seed: FACTOR === 1 ? 20_261_124 : Math.trunc(Math.random() * 2 ** 31),
})

/** Changes the text at an offset. */
type Mutation = (text: string, at: number) => string

/** Creates texts with up to `max` mutations of a valid one, which insert some of `pieces`. */
export function mutated(valid: string, pieces: readonly string[], max = 6): fc.Arbitrary<string> {
  const insert = fc.constantFrom(...pieces).map(
    (piece): Mutation =>
      (text, at) =>
        text.slice(0, at) + piece + text.slice(at),
  )
  const replace = fc.tuple(fc.constantFrom(...pieces), fc.nat(12)).map(
    ([piece, length]): Mutation =>
      (text, at) =>
        text.slice(0, at) + piece + text.slice(at + length),
  )
  const cut = fc.nat(80).map(
    (length): Mutation =>
      (text, at) =>
        text.slice(0, at) + text.slice(at + length),
  )
  const flip = fc.nat(255).map(
    (code): Mutation =>
      (text, at) =>
        text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1),
  )
  const change = fc.tuple(
    fc.oneof(insert, replace, cut, flip),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  return fc
    .array(change, { maxLength: max })
    .map((changes) =>
      changes.reduce(
        (text, [mutate, share]) => mutate(text, Math.floor(share * text.length)),
        valid,
      ),
    )
}
