/** For who opens a closed case again: how long it stays is judged anew then. */
export { lookAgain } from './queries.ts'
