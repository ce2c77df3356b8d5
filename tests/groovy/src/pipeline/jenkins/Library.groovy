package org.jenkinsci.plugins.workflow.libs

import java.lang.annotation.Retention
import java.lang.annotation.RetentionPolicy

/** `@Library('name@version') _` in a Jenkinsfile; read by the compiler, absent at run time. */
@Retention(RetentionPolicy.SOURCE)
@interface Library {
    String[] value()
}
