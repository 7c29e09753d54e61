export { type BackendSuite, type DefineTest, testStateBackend } from './backend-conformance.js';
export { type RepositorySuite, testBackupRepository } from './repository-conformance.js';
