import { expect } from 'chai'
import fc from 'fast-check'
import { ByteSlab, type Piece } from '../../../runtime/owner/byte-slab.ts'

const chunkBytes = 256 * 1024

function store(slab: ByteSlab, length: number, fill: number): Piece {
  const piece = { chunk: 0, offset: 0, length: 0 }
  slab.store(new Uint8Array(length).fill(fill), piece)
  return piece
}

describe('byte-slab', () => {
  it('keeps every piece as it was stored until it is released, in any order', () => {
    const length = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 * chunkBytes }))
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ length, fill: fc.integer({ min: 0, max: 255 }) }) },
      { weight: 2, arbitrary: fc.record({ release: fc.nat() }) },
    )
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const slab = new ByteSlab()
      const held: { piece: Piece; fill: number }[] = []
      for (const each of steps) {
        if ('fill' in each) held.push({ piece: store(slab, each.length, each.fill), fill: each.fill })
        else if (held.length > 0) {
          const [gone] = held.splice(each.release % held.length, 1)
          if (gone !== undefined) slab.release(gone.piece.chunk, gone.piece.length)
        }
        expect(slab.livePieces).to.equal(held.length)
        expect(slab.heldBytes).to.equal(held.reduce((sum, { piece }) => sum + piece.length, 0))
      }
      for (const { piece, fill } of held) {
        const view = slab.view(piece.chunk, piece.offset, piece.length)
        expect(view.length).to.equal(piece.length)
        expect(view.every((byte) => byte === fill)).to.equal(true)
      }
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('never writes the bytes of a released piece again while a view of them may be in use', () => {
    const slab = new ByteSlab()
    const first = store(slab, 100, 1)
    const view = slab.view(first.chunk, first.offset, first.length)
    slab.release(first.chunk, first.length)
    for (let i = 0; i < 20; i++) store(slab, chunkBytes / 8, 2)
    expect(view.every((byte) => byte === 1)).to.equal(true)
  })

  it('holds a large piece alone, and uses the place of a dropped chunk again', () => {
    const slab = new ByteSlab()
    const small = store(slab, 10, 1)
    const large = store(slab, chunkBytes, 2)
    expect(large.chunk).to.not.equal(small.chunk)
    expect(store(slab, 10, 3).chunk).to.equal(small.chunk)
    slab.release(large.chunk, large.length)
    expect(store(slab, chunkBytes, 4).chunk).to.equal(large.chunk)
  })

  it('refuses to release what is not held', () => {
    const slab = new ByteSlab()
    const piece = store(slab, chunkBytes, 1)
    slab.release(piece.chunk, piece.length)
    expect(() => slab.release(piece.chunk, piece.length)).to.throw(Error, /nothing to release/)
  })
})
