import { expect } from 'chai'
import { roundUp } from '../../../runtime/objects/arena-space.ts'
import { mappedValues, mapValue } from '../../../runtime/objects/mapped-values.ts'
import { decodeLent, decodeValue, encodedBytes, encodeValue, flattenInto } from '../../../runtime/objects/value.ts'
import type { EncodedValue } from '../../../runtime/objects/value.ts'
import { ArenaMemory, segmentSizes } from '../../../runtime/objects/arena-memory.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectAll } from './arena-fixture.ts'
import { canShare } from '../../tools/native.ts'

const describeHere = canShare ? describe : describe.skip

describeHere('mapValue', () => {
  let folder: string
  let memory: ArenaMemory
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpool-map-'))
    memory = ArenaMemory.create(folder, [16 * 1024 * 1024], 1024) as ArenaMemory
  })
  afterEach(() => {
    memory.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function write(value: unknown, offset = 0): { segment: number; offset: number; sizeBytes: number } {
    const encoded = encodeValue(value, 'value')
    const sizeBytes = encodedBytes(encoded)
    flattenInto(encoded, memory.bytes({ segment: 0, offset, sizeBytes }))
    return { segment: 0, offset, sizeBytes: roundUp(sizeBytes) }
  }

  it('copies from the limit of maps on', () => {
    const value = new Uint8Array(100_000).fill(3)
    const room = write(value)
    const before = mappedValues()
    const mapped = mapValue(memory, room, room.sizeBytes, () => {}, before + 1).encoded
    const copied = mapValue(memory, room, room.sizeBytes, () => {}, before + 1).encoded
    expect(mappedValues()).to.equal(before + 1)
    memory.bytes(room)[50_000] = 4
    const sees = (encoded: EncodedValue): boolean => (decodeValue(encoded) as Uint8Array).includes(4)
    expect([sees(mapped), sees(copied)]).to.deep.equal([true, false])
  })

  it('lets go once, when it was released and every buffer of it is collected', async () => {
    const room = write({ a: new Uint8Array(100_000), b: new Uint8Array(70_000) }, 4096)
    let released = 0
    let kept: unknown
    await (async () => {
      const stored = mapValue(memory, room, room.sizeBytes, () => released++)
      kept = (decodeValue(stored.encoded) as { b: Uint8Array }).b
      await collectAll()
      expect(released).to.equal(0)
      stored.release()
      stored.release()
    })()
    await collectAll()
    expect(released).to.equal(0)
    expect((kept as Uint8Array).length).to.equal(70_000)
    kept = undefined
    await collectAll()
    expect(released).to.equal(1)
  })

  it('lets go at once where nothing was mapped', () => {
    const room = write({ small: new Uint8Array(1_000) })
    let released = 0
    const stored = mapValue(memory, room, room.sizeBytes, () => released++)
    stored.release()
    expect(released).to.equal(1)
  })

  it('lends the bytes where they lie, without a map, until it is released', () => {
    const value = Float64Array.from({ length: 20_000 }, (_, i) => i / 2)
    const room = write(value, 8192)
    const before = mappedValues()
    let released = 0
    const stored = mapValue(memory, room, room.sizeBytes, () => released++)
    const lent = decodeLent(stored.lent as EncodedValue) as Float64Array
    expect(lent).to.deep.equal(value)
    expect(lent.buffer).to.equal(memory.bytes(room).buffer)
    expect([mappedValues(), released]).to.deep.equal([before, 0])
    stored.release()
    expect(released).to.equal(1)
  })

  it('lends nothing of values without large buffers', () => {
    const room = write({ small: new Uint8Array(1_000) })
    expect(mapValue(memory, room, room.sizeBytes, () => {}).lent).to.equal(undefined)
  })

  it('leaves values as they are when the arena is closed', () => {
    const room = write(new Uint8Array(100_000).fill(3))
    const value = decodeValue(mapValue(memory, room, room.sizeBytes, () => {}).encoded) as Uint8Array
    const window = memory.bytes(room)
    memory.close()
    expect(value.every((byte) => byte === 3)).to.equal(true)
    expect(window[50]).to.equal(0)
  })
})

describe('segmentSizes', () => {
  it('stays below 4 GiB each, where one view would end the process', () => {
    const gibibyte = 1024 ** 3
    for (const capacity of [1, 4096, gibibyte, 4 * gibibyte, 7.3 * gibibyte, 100 * gibibyte]) {
      const sizes = segmentSizes(Math.floor(capacity))
      for (const sizeBytes of sizes) {
        expect(sizeBytes % 4096).to.equal(0)
        expect(sizeBytes).to.be.within(4096, 4 * gibibyte - 4096)
      }
      const sum = sizes.reduce((all, sizeBytes) => all + sizeBytes, 0)
      if (capacity > 4096) expect(Math.abs(sum - capacity)).to.be.lessThan(sizes.length * 8192)
    }
  })
})
