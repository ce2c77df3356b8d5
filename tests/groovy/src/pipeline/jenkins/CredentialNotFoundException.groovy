package org.jenkinsci.plugins.credentialsbinding.impl

@groovy.transform.InheritConstructors class CredentialNotFoundException extends hudson.AbortException { }
