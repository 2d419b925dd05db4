# Which headers are public: interfaces, and what they include. Not public are the insides of operations (their kernels, and
# the formulas that the devices share), headers of vector code, of the emulated device's scheduler, and of the
# program's files and messages.
#   fade_public_headers(VAR HEADERS..)   sets VAR to the public ones; device cuda's are public where there is one
function(fade_public_headers result)
  set(headers ${ARGN})
  list(FILTER headers EXCLUDE REGEX "-inl\\.h$")
  list(FILTER headers EXCLUDE REGEX "^engine/(held_signals|median|gradcheck_.*|io/(half|hash|output|standard_streams|utf8))\\.h$")
  list(FILTER headers EXCLUDE REGEX "^engine/cuda/(blas_(libraries|types)|event|emulate/(block|fiber|memory|report|static_shared))\\.h$")
  list(FILTER headers EXCLUDE REGEX "^ops/.*_(kernels|math)\\.h$|^ops/.*/(cpu|cuda)/")
  list(APPEND headers ops/elementwise/elementwise_kernels.h)  # what unary.h includes
  list(FILTER headers EXCLUDE REGEX "^ops/(matmul/([a-z]+_cpu|few_rows|matmul_cuda)|expire_mask/row_spans|span_attention/naive)\\.h$")
  list(FILTER headers EXCLUDE REGEX "^train/(run_log|tensorboard|log_file|progress|interrupt|figure|call|checkpoint_policy)\\.h$")
  list(FILTER headers EXCLUDE REGEX "^train/config/(schema|number|suggestion|unread|check)\\.h$")
  if(FADE_CUDA_IS STREQUAL off)
    list(FILTER headers EXCLUDE REGEX "^engine/cuda/|_cuda\\.h$")
  elseif(FADE_CUDA_IS STREQUAL on)
    list(FILTER headers EXCLUDE REGEX "^engine/cuda/emulate/")
  else()
    list(FILTER headers EXCLUDE REGEX "^engine/cuda/(runtime|blas)\\.h$")
  endif()
  list(SORT headers)
  set(${result} ${headers} PARENT_SCOPE)
endfunction()
