/** Archives as somebody would write them who does not use our writer. */

export const magic: Buffer = Buffer.from('outpool-archive 1\n')

export interface EntryFacts {
  readonly kind?: number
  readonly flags?: number
  /** What it says that its length is, where that is a lie. */
  readonly size?: number
}

export function rawEntry(path: string | Buffer, bytes: Buffer = Buffer.from('x'), facts: EntryFacts = {}): Buffer {
  const name = Buffer.from(path)
  const head = Buffer.alloc(8)
  head.writeUInt8(facts.kind ?? 1, 0)
  head.writeUInt8(facts.flags ?? 0, 1)
  head.writeUInt16LE(name.length, 2)
  head.writeUInt32LE(facts.size ?? bytes.length, 4)
  return Buffer.concat([head, name, bytes])
}

export function rawEnd(count: number): Buffer {
  const end = Buffer.alloc(5)
  end.writeUInt32LE(count, 1)
  return end
}
