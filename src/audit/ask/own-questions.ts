import { v7 as uuidv7 } from 'uuid'
import { plainText } from '../../cases/check-request.ts'
import { Refusal } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { Caller } from '../../identity/principal.ts'
import { canonicalContext, openBox, sealBox } from '../../sealing/keys.ts'
import { actedBy } from '../acted-by.ts'
import {
  deleteQuestion,
  insertQuestion,
  type OwnQuestionRow,
  questionsOf
} from './own-question-queries.ts'

/** Of one person: more than they find again by looking. */
const QUESTIONS_MAX = 50

type Parts = Pick<Exchange, 'database' | 'serviceKeys' | 'audit' | 'clock'>

/** What of a question can be kept: words of ours, days and ids, by the names of the form. */
export type KeptQuestion = Record<string, string>

/** A question that somebody saved for themselves. */
export interface OwnQuestion {
  id: string
  name: string
  question: KeptQuestion
}

/**
 * Keeps a question for whoever asks it, under a name. Both are sealed. It is for the caller to leave out
 * what names a patient, which is never kept. Refusals `text-invalid`, `too-many-questions`.
 */
export async function saveQuestion(
  { database, serviceKeys, audit, clock }: Parts,
  caller: Caller,
  { name, question }: Omit<OwnQuestion, 'id'>
): Promise<OwnQuestion> {
  const { accountId } = caller
  const createdAt = clock()
  const id = uuidv7({ msecs: createdAt })
  const kept = { name: plainText('name', name), question }
  const text = Buffer.from(JSON.stringify(kept))
  const questionSealed = sealBox(serviceKeys.audit, contextOf({ id, accountId }), text)
  await database.write(async tx => {
    // Two at the same moment may both find room: the bound is for the page, and one more does no harm.
    if ((await questionsOf(tx, accountId)).length >= QUESTIONS_MAX) {
      throw new Refusal('too-many-questions')
    }
    await insertQuestion(tx, { id, accountId, questionSealed, createdAt })
    await audit.append(tx, {
      action: 'question.save',
      outcome: 'success',
      ...actedBy(caller, { question: id })
    })
  })
  return { id, ...kept }
}

/** The questions that this person saved, the first first. They are their own, so to see them is no event. */
export async function ownQuestions(
  { database, serviceKeys }: Pick<Parts, 'database' | 'serviceKeys'>,
  { accountId }: Pick<Caller, 'accountId'>
): Promise<OwnQuestion[]> {
  const rows = await questionsOf(database.read, accountId)
  return rows.map(row => {
    const box = openBox(serviceKeys.audit, contextOf(row), row.questionSealed)
    return { id: row.id, ...(JSON.parse(box.toString()) as Omit<OwnQuestion, 'id'>) }
  })
}

/** Removes one of them. Refusal `question-not-found`, also for those of others. */
export async function removeQuestion(
  { database, audit }: Parts,
  caller: Caller,
  id: string
): Promise<void> {
  await database.write(async tx => {
    const [gone] = await deleteQuestion(tx, { id, accountId: caller.accountId })
    if (gone === undefined) throw new Refusal('question-not-found')
    await audit.append(tx, {
      action: 'question.remove',
      outcome: 'success',
      ...actedBy(caller, { question: id })
    })
  })
}

const contextOf = ({ id, accountId }: Pick<OwnQuestionRow, 'id' | 'accountId'>): Buffer =>
  canonicalContext('saved-question', accountId, id)
