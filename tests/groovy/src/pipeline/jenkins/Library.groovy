package org.jenkinsci.plugins.workflow.libs

/** `@Library('name@version') _` in a Jenkinsfile, read by the compiler. */
@interface Library { String[] value() }
