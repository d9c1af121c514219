/** For what shims keep by texts of functions. */
export { BoundedMap } from '../runtime/base/bounded-map.ts'
