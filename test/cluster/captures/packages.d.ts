/** What the cases use of a package that brings no types. */
declare module 'lodash' {
  interface Lodash {
    chunk<T>(items: readonly T[], size: number): T[][]
    sum(numbers: readonly number[]): number
    sortBy<T>(items: readonly T[]): T[]
  }
  const lodash: Lodash
  export default lodash
}
