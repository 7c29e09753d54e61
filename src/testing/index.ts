export { type BackendSuite, type DefineTest, testStateBackend } from './backend-conformance.js';
