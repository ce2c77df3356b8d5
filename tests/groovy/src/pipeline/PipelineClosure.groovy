package pipeline

import com.cloudbees.groovy.cps.Block
import com.cloudbees.groovy.cps.Env
import com.cloudbees.groovy.cps.impl.CpsClosure
import groovy.transform.CompileStatic

/** Groovy gives every object, so every closure too, methods like `sleep` and `println`; here they are steps. */
@CompileStatic
class PipelineClosure extends CpsClosure {
    PipelineClosure(Object owner, Object thisObject, List<String> parameters, Block body, Env capture) {
        super(owner, thisObject, parameters, body, capture)
    }

    Object sleep(long seconds) { PipelineScript.callStep('sleep', [seconds]) }

    void println(Object value) { PipelineScript.callStep('echo', [String.valueOf(value)]) }

    void print(Object value) { PipelineScript.callStep('echo', [String.valueOf(value)]) }

    void println() { PipelineScript.callStep('echo', ['']) }
}
