package hudson.model

import groovy.transform.CompileStatic

@CompileStatic
interface TaskListener {
    TaskListener NULL = new NullTaskListener()

    PrintStream getLogger()
}

@CompileStatic
class NullTaskListener implements TaskListener {
    @Override PrintStream getLogger() { new PrintStream(OutputStream.nullOutputStream()) }
}
