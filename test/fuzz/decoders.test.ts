import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { decoders, fileDecoders } from './decoders.ts'
import { describeFinding, fuzz } from './fuzz.ts'
import type { Decoder } from './fuzz.ts'

const inputs = 4_000
const inputsByFile = 300

/** `OUTPOOL_FUZZ=decoder:seed:number` tries that input alone; a seed alone shifts all inputs. */
const [onlyName, seedText = '1', onlyNumber] = (process.env['OUTPOOL_FUZZ'] ?? '').split(':')
const seed = Number(seedText)

function check(decoder: Decoder, count: number): void {
  const from = onlyNumber === undefined ? 0 : Number(onlyNumber)
  const { findings, accepted, refused } = fuzz(decoder, seed, from, onlyNumber === undefined ? count : from + 1)
  const shown = findings.slice(0, 3).map(describeFinding).join('\n')
  expect(findings.length, `${findings.length} inputs of ${decoder.name}\n${shown}`).equal(0)
  if (onlyNumber !== undefined) return
  // Inputs that are all refused at the first byte would prove nothing.
  expect(accepted, `accepted of ${accepted + refused}`).above(count / 100)
}

describe('decoders, given bytes from outside', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  for (const decoder of decoders.filter(({ name }) => !onlyName || name === onlyName))
    it(`${decoder.name}: gives a value or its own error, and takes no more memory than its input is worth`, () =>
      check(decoder, inputs))

  for (const decoder of fileDecoders(folder).filter(({ name }) => !onlyName || name === onlyName))
    it(`${decoder.name}: gives a record or none`, () => check(decoder, inputsByFile))

  it('know every sample', () => {
    for (const { name, samples, decode, documented } of decoders)
      for (const sample of samples)
        try {
          decode(Buffer.from(sample))
        } catch (error) {
          // Only the refusals among the answers.
          expect(documented(error) && name === 'answer to a hello', `${name}: ${String(error)}`).equal(true)
        }
  })
})
