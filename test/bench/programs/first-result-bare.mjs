import { sayOnce } from './serve.mjs'

sayOnce(3)
