/** For shims: what this process may use of its machine. */
export { usableCpus } from '../runtime/base/usable.ts'
