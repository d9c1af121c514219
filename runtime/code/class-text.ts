/**
 * The text by which a class is made again elsewhere. Its static blocks and fields were evaluated once, where the class was
 * made, with whatever they did to anything else: they are left out, and what they made goes along as it is now. All else
 * stands where it stood.
 */
import type { Class } from 'acorn'

interface Range {
  readonly start: number
  readonly end: number
}

interface ClassParts {
  readonly lasting: string
  readonly heritage: Range | undefined
  readonly members: { readonly computed: readonly Range[] }
}

/** `offset`: where `text` begins in what was parsed. */
export function withoutStatics({ body }: Class, text: string, offset: number): string {
  const cuts: Range[] = []
  for (const member of body.body) {
    const isStatic = member.type === 'StaticBlock' || (member.type === 'PropertyDefinition' && member.static)
    if (isStatic) cuts.push({ start: member.start - offset, end: member.end - offset })
  }
  // An empty element, so that a field above it ends.
  return replaceAll(
    text,
    cuts.map((cut) => ({ ...cut, by: `;${breaksOf(text.slice(cut.start + 1, cut.end), ' ')}` })),
  )
}

/** What is left to happen when the class is used: what it extends and computed keys were evaluated, too. */
export function withoutMaking({ lasting, heritage, members }: ClassParts): string {
  const edits = members.computed.map(({ start, end }) => ({
    start,
    end,
    by: `0${breaksOf(lasting.slice(start, end))}`,
  }))
  if (heritage === undefined) return replaceAll(lasting, edits)
  const by = `null${breaksOf(lasting.slice(heritage.start, heritage.end))}`
  return replaceAll(lasting, [{ ...heritage, by }, ...edits])
}

/** Lines stay what they were; `by` stands for each of their characters. */
function breaksOf(text: string, by: '' | ' ' = ''): string {
  return text.replace(/[^\n\r\u2028\u2029]/g, by)
}

/** `edits` in the order of the text. */
export function replaceAll(text: string, edits: readonly (Range & { readonly by: string })[]): string {
  let out = ''
  let at = 0
  for (const { start, end, by } of edits) {
    out += text.slice(at, start) + by
    at = end
  }
  return at === 0 ? text : out + text.slice(at)
}
