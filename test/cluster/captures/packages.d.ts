/** What the cases use of packages that bring no types. */
declare module 'lodash' {
  interface Lodash {
    readonly chunk: <T>(items: readonly T[], size: number) => T[][]
    readonly sum: (numbers: readonly number[]) => number
    readonly sortBy: <T>(items: readonly T[]) => T[]
  }
  const lodash: Lodash
  export default lodash
}

/** Made for the cases (`variants.ts`): its `exports` have nothing for `require`. */
declare module 'only-import' {
  export class Token {
    readonly text: string
  }
  export function make(text: string): Token
  export function knows(value: unknown): boolean
  export default function whole(text: string): string
}

/** Made for the cases, too: another file for each of `import` and `require`. */
declare module 'by-condition/sub' {
  export function both(value: number): string
}
